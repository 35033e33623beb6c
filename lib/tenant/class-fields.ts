/**
 * Finds out what the fields of a class, and of the classes between it and the root, do to an instance after the constructor of the root. This
 * depends on the compiler: JavaScript defines a field, or the constructor assigns it. The source text is not a reliable sign, so one
 * instance is constructed and observed. It gets no data and is discarded.
 *
 * @param TenantClass the class that is instantiated
 * @param root the class whose constructor calls this function. The constructor must call `watchTrial` first.
 */
export function fieldsOf(TenantClass: Function, root: Function): ClassFields {
  if (TenantClass === root) {
    return NONE;
  }

  let fields = FIELDS.get(TenantClass);

  if (fields === undefined) {
    fields = new Trial().run(TenantClass, root);
    FIELDS.set(TenantClass, fields);
  }

  return fields;
}

/** During a trial, returns the object that the constructor of the root must return. */
export function watchTrial<T extends object>(NewTarget: Function, instance: T, args: ArrayLike<unknown>): T | undefined {
  return TRIALS.get(NewTarget)?.watch(instance, args);
}

/** Whether the descriptor is that of a field definition. JavaScript and the helpers of compilers use the same one. */
export function isFieldDefinition({ configurable, enumerable, writable, ...rest }: PropertyDescriptor): boolean {
  return 'value' in rest && configurable === true && enumerable === true && writable === true;
}

class Trial {
  readonly #assigned = new Map<PropertyKey, number>();
  readonly #defined = new Map<PropertyKey, number>();
  readonly #read = new Set<PropertyKey>();
  #hasReachedRoot = false;
  #passesEverythingOn = false;
  #uses = 0;

  run(TenantClass: Function, root: Function): ClassFields {
    const TrialClass = class extends (TenantClass as new (...args: object[]) => object) {};
    TRIALS.set(TrialClass, this);
    const end = endOf(() => Reflect.construct(TenantClass, [ARGUMENT, ARGUMENT], TrialClass));
    const base = (): ClassFields => fieldsOf(Object.getPrototypeOf(TenantClass) as Function, root);
    // only a handwritten constructor uses arguments, and only after the fields of its class exist
    const isSeen = this.#hasReachedRoot && (end === 'whole' || (end === 'used arguments' && base().isWhole));

    return {
      assigned: this.#passesEverythingOn && end !== 'used arguments' ? this.#assigned : base().assigned,
      defined: isSeen ? this.#defined : base().defined,
      unseen: isSeen ? 0 : base().unseen + 1,
      isWhole: end === 'whole',
    };
  }

  watch<T extends object>(instance: T, args: ArrayLike<unknown>): T {
    this.#hasReachedRoot = true;
    // a constructor that a compiler adds for the fields passes on all arguments. A handwritten one passes on its parameters
    this.#passesEverythingOn = args.length === 2 && args[1] === ARGUMENT;

    return new Proxy(instance, {
      get: (target, key, receiver) => {
        this.#read.add(key);
        const value: unknown = Reflect.get(target, key, receiver);

        return value === undefined && typeof key === 'string' ? this.#anything() : value;
      },
      // the helpers of some compilers define an existing property, and assign a missing one. A passed value always exists
      has: () => true,
      set: (target, key, value) => {
        // not counted after a read, because it may depend on the value: `this.slug ??= slugOf(this.name)`, `this.name = this.name.trim()`
        if (!this.#read.has(key)) {
          count(this.#assigned, key);
        }

        // not by a setter, which could link other entities to this instance
        return Reflect.defineProperty(target, key, { value, configurable: true, enumerable: true, writable: true });
      },
      defineProperty: (target, key, descriptor) => {
        if (isFieldDefinition(descriptor)) {
          count(this.#defined, key);
        }

        return Reflect.defineProperty(target, key, descriptor);
      },
    });
  }

  // stands for missing data, so that initial values can be computed from it: `slug = this.name.toLowerCase()`
  #anything(): unknown {
    const use = (): unknown => {
      // stops an endless loop over it
      if (++this.#uses > MAX_USES) {
        throw new Error('The trial of a constructor uses a missing property too often.');
      }

      return anything;
    };
    const anything = new Proxy(() => undefined, {
      get: (_, key) => (key === Symbol.toPrimitive ? () => '' : use()),
      apply: use,
    });

    return anything;
  }
}

function endOf(construct: () => unknown): 'whole' | 'used arguments' | 'failed' {
  try {
    construct();

    return 'whole';
  } catch (error) {
    return error === ARGUMENT_USED ? 'used arguments' : 'failed';
  }
}

function count(counts: Map<PropertyKey, number>, key: PropertyKey): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function refuse(): never {
  throw ARGUMENT_USED;
}

const FIELDS = new WeakMap<Function, ClassFields>();

const TRIALS = new WeakMap<Function, Trial>();

const NONE: ClassFields = { assigned: new Map(), defined: new Map(), unseen: 0, isWhole: true };

const MAX_USES = 1000;

const ARGUMENT_USED = new Error('The arguments of a trial are passed on, not used.');

// stops a constructor as soon as it uses its arguments
const ARGUMENT = new Proxy(
  {},
  {
    defineProperty: refuse,
    deleteProperty: refuse,
    get: refuse,
    getOwnPropertyDescriptor: refuse,
    getPrototypeOf: refuse,
    has: refuse,
    ownKeys: refuse,
    set: refuse,
  },
);

export interface ClassFields {
  /**
   * The assigned fields, and how often each is assigned in one construction. Assignments by a handwritten constructor are not included,
   * because they are intended.
   */
  readonly assigned: ReadonlyMap<PropertyKey, number>;

  /** The defined fields, and how often each is defined in one construction. */
  readonly defined: ReadonlyMap<PropertyKey, number>;

  /** The number of classes whose fields the trial could not observe. Each may define any field once more. */
  readonly unseen: number;

  /** Whether the constructors ran to their end. */
  readonly isWhole: boolean;
}
