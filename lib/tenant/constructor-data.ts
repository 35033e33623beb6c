import { fieldsOf, isFieldDefinition } from './class-fields.js';

/**
 * Assigns what a constructor was given, so that it survives the class fields of the subclasses. A subclass that declares its properties as
 * class fields sets them after the constructor of its base class, each to its own initial value or `undefined`, and what was passed to
 * that constructor would be lost. What else a constructor or the user assigns is theirs.
 *
 * Where fields are assigned, the instance is an ordinary object. Where they are defined, it is a `Proxy`, which `structuredClone()` refuses:
 * a definition replaces any property of an ordinary object, or throws. An accessor of a private field needs a `Proxy` too, as it takes no
 * value before that field is there.
 */
export function assignConstructorData<T extends object>(
  instance: T,
  data: Readonly<Record<string, unknown>>,
  { TenantClass, root }: { readonly TenantClass: Function; readonly root: Function },
): T {
  const { assigned, defined, unseen } = fieldsOf(TenantClass, root);
  const pending: Pending = { definitions: new Map(), values: new Map() };
  const accessors = new Set(Object.keys(data).filter(key => hasAccessor(TenantClass, key, root)));
  // a setter may store its value in a field of any name, so an accessor counts as a field that is defined
  const needsProxy = Object.keys(data).some(key => accessors.has(key) || defined.has(key) || unseen > 0);
  const entity = needsProxy ? protect(instance, pending) : instance;

  // not on the instance itself: the accessors of relations would tell the other side of an entity that nobody has, to be stored twice
  for (const [key, value] of Object.entries(data)) {
    if (accessors.has(key) && !isReadable(entity, key)) {
      pending.values.set(key, value);
    } else {
      Object.assign(entity, { [key]: value });
    }
  }

  for (const key of Reflect.ownKeys(instance)) {
    pending.definitions.set(key, (defined.get(key) ?? 0) + unseen);
    ignoreAssignments(instance, key, assigned.get(key) ?? 0);
  }

  return entity;
}

// ignores the definitions that fields make of properties that were passed, and assigns the values that have to wait when they are asked for
function protect<T extends object>(instance: T, { definitions, values }: Pending): T {
  const entity = new Proxy(instance, {
    defineProperty: (target, key, descriptor) => {
      const left = definitions.get(key) ?? 0;

      if (left === 0 || !isFieldDefinition(descriptor) || !Object.hasOwn(target, key)) {
        return Reflect.defineProperty(target, key, descriptor);
      }

      definitions.set(key, left - 1);

      return true;
    },
    get: (target, key, receiver) => {
      assignPending();

      return Reflect.get(target, key, receiver) as unknown;
    },
    set: (target, key, value, receiver) => {
      values.delete(key);

      return Reflect.set(target, key, value, receiver);
    },
  });

  function assignPending(): void {
    // a copy, as what has to wait still is put back
    for (const [key, value] of Array.from(values)) {
      // first, as reading the property asks for it again
      values.delete(key);

      if (isReadable(entity, key)) {
        Object.assign(entity, { [key]: value });
      } else {
        values.set(key, value);
      }
    }
  }

  return entity;
}

// an accessor stands in for the property until as many assignments have come as fields make
function ignoreAssignments(instance: object, key: PropertyKey, times: number): void {
  if (times === 0) {
    return;
  }

  const property = Object.getOwnPropertyDescriptor(instance, key)!;
  const passed = Object.defineProperty({}, key, property);
  let left = times;

  Object.defineProperty(instance, key, {
    configurable: true,
    enumerable: true,
    get: () => Reflect.get(passed, key, instance) as unknown,
    set: () => {
      if (--left === 0) {
        Object.defineProperty(instance, key, property);
      }
    },
  });
}

function hasAccessor(TenantClass: Function, key: string, root: Function): boolean {
  for (let each = TenantClass.prototype as object; each !== root.prototype; each = Object.getPrototypeOf(each) as object) {
    if (Object.getOwnPropertyDescriptor(each, key)?.get !== undefined) {
      return true;
    }
  }

  return false;
}

// whether an accessor works yet: it throws as long as the private field it reads is missing
function isReadable(entity: object, key: PropertyKey): boolean {
  try {
    Reflect.get(entity, key);

    return true;
  } catch {
    return false;
  }
}

interface Pending {
  /** How many definitions of a property are still to be ignored. */
  readonly definitions: Map<PropertyKey, number>;

  /** The values of accessors that did not work yet. */
  readonly values: Map<PropertyKey, unknown>;
}
