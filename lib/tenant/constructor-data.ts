import { fieldsOf, isFieldDefinition } from './class-fields.js';
import { assignable } from './settings.js';

/**
 * Assigns the data that a constructor was given, and protects it from the class fields of subclasses. A subclass sets its class fields after
 * the constructor of its base class, each to its initial value or `undefined`. Without protection, the data would be lost. Other assignments
 * by a constructor or by the user take effect as usual.
 *
 * If the compiled fields are assigned, the instance is an ordinary object. If they are defined, it is a `Proxy`, because a definition replaces
 * any property of an ordinary object, or throws. `structuredClone()` refuses a `Proxy`. An accessor of a private field needs a `Proxy` too,
 * because it accepts no value before this field exists.
 */
export function assignConstructorData<T extends object>(
  instance: T,
  data: Readonly<Record<string, unknown>>,
  { TenantClass, root }: { readonly TenantClass: Function; readonly root: Function },
): T {
  const { assigned, defined, unseen } = fieldsOf(TenantClass, root);
  const pending: Pending = { definitions: new Map(), values: new Map() };
  const values = assignable(data);
  const keys = values.map(([key]) => key);
  const accessors = new Set(keys.filter(key => hasAccessor(TenantClass, key, root)));
  // an accessor counts as a defined field, because its setter may store the value in a field of any name
  const needsProxy = keys.some(key => accessors.has(key) || defined.has(key) || unseen > 0);
  const entity = needsProxy ? protect(instance, pending) : instance;

  // on `entity`, because the accessors of relations would otherwise add the instance behind the `Proxy` to the other side. It would be stored twice
  for (const [key, value] of values) {
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

// ignores the definitions of fields whose values were passed, and assigns delayed values when they are read
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
    // a copy, because values that still have to wait are added again
    for (const [key, value] of Array.from(values)) {
      // deleted first, because reading the property calls this function again
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

// an accessor replaces the property until all assignments of class fields have happened
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

// whether an accessor already works: it throws while its private field is missing
function isReadable(entity: object, key: PropertyKey): boolean {
  try {
    Reflect.get(entity, key);

    return true;
  } catch {
    return false;
  }
}

interface Pending {
  /** How many more definitions of a property to ignore. */
  readonly definitions: Map<PropertyKey, number>;

  /** The values of accessors that do not work yet. */
  readonly values: Map<PropertyKey, unknown>;
}
