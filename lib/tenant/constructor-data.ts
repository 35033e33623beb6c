/**
 * Assigns what a constructor was given, so that it survives the class fields of the subclasses. A subclass that declares its properties as
 * class fields sets them after the constructor of its base class, each to its own initial value or `undefined`, and what was passed to
 * that constructor would be lost. The first definition of each passed property therefore keeps the passed value, and so does the first
 * assignment of a field that was compiled to one. Any other assignment is the user's, and ends the matter.
 */
export function assignConstructorData<T extends object>(
  instance: T,
  data: Readonly<Record<string, unknown>>,
  { TenantClass, base }: { readonly TenantClass: Function; readonly base: object },
): T {
  const assigned = fieldsAssignedBy(TenantClass, base);
  const pending = new Set<PropertyKey>();
  const entity = new Proxy(instance, {
    // not left to `defineProperty`: on an entity that MikroORM has discovered the property may be an accessor by now
    set: (target, key, value, receiver) => (pending.delete(key) && assigned.has(key)) || Reflect.set(target, key, value, receiver),
    defineProperty: (target, key, descriptor) => {
      const isField = pending.delete(key) && 'value' in descriptor;

      return Reflect.defineProperty(target, key, isField ? { ...descriptor, value: data[key as string] } : descriptor);
    },
  });

  // not on the instance itself: the accessors of relations would tell the other side of an entity that nobody has, to be stored twice
  Object.assign(entity, data);
  Object.keys(data).forEach(key => pending.add(key));

  return entity;
}

/**
 * The fields that a class assigns, as compilers make assignments of them under `useDefineForClassFields: false`. They show only
 * on an instance, so one is made for each class. A class with a constructor of its own is left alone: what that assigns is meant.
 */
function fieldsAssignedBy(TenantClass: Function, base: object): ReadonlySet<PropertyKey> {
  let fields = ASSIGNED.get(TenantClass);

  if (fields === undefined) {
    fields = new Set(hasCompiledConstructor(TenantClass, base) ? Reflect.ownKeys(Reflect.construct(TenantClass, []) as object) : []);
    ASSIGNED.set(TenantClass, fields);
  }

  return fields;
}

// whether some class up to the base got a constructor from a compiler, and none got one by hand
function hasCompiledConstructor(TenantClass: object, base: object): boolean {
  const sources: string[] = [];

  for (let each = TenantClass; each !== base; each = Object.getPrototypeOf(each) as object) {
    sources.push(Function.prototype.toString.call(each));
  }

  const withConstructor = sources.filter(source => CONSTRUCTOR.test(source));

  return withConstructor.length > 0 && withConstructor.every(source => COMPILED_CONSTRUCTOR.test(source));
}

const ASSIGNED = new WeakMap<object, ReadonlySet<PropertyKey>>();

const CONSTRUCTOR = /(?<![.\w])constructor\s*\(/;

// as TypeScript and esbuild write it for a class that had none
const COMPILED_CONSTRUCTOR = /(?<![.\w])constructor\s*\(\)\s*\{\s*super\(\.\.\.arguments\)/;
