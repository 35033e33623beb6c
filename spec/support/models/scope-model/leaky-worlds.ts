import { AsyncLocalStorage } from 'node:async_hooks';
import pMap from 'p-map';
import type { Change } from './tenants.ts';
import { CHANGED, NO_TENANT, OTHER_TENANT, PUBLIC, type Named, type World } from './world.ts';

/** Where a flow is: for a tenant, under the name that it had. */
type Place = Named | typeof PUBLIC | undefined;

/** How a scope is stored. These worlds differ only in this. */
interface Memory {
  get(): Place;
  run<Result>(place: Place, fn: () => Promise<Result>): Promise<Result>;
}

/** A correct world, to show that the model reports no false failures. */
export function soundWorld(): World {
  return worldOf(soundMemory());
}

/** Worlds that leak, each in a way known from libraries of this kind. The model must find every leak. */
export const LEAKY_WORLDS: Readonly<Record<string, () => World>> = {
  'a variable of the module in place of an AsyncLocalStorage': () => {
    let current: Place;

    return worldOf({
      get: () => current,
      run: async (place, fn) => {
        const outer = current;
        current = place;

        try {
          return await fn();
        } finally {
          current = outer;
        }
      },
    });
  },
  '`enterWith`, which leaves the scope to whoever called': () => {
    const storage = new AsyncLocalStorage<Place>();

    return worldOf({
      get: () => storage.getStore(),
      run: (place, fn) => {
        storage.enterWith(place);

        return fn();
      },
    });
  },
  'one object for each flow, that nested scopes change': () => worldOf(boxes(() => true)),
  'one object for each flow, that a throw leaves changed': () => worldOf(boxes(ended => ended === 'returned')),
  'a scope that ends for all when its callback does': () => {
    const storage = new AsyncLocalStorage<{ place: Place }>();

    return worldOf({
      get: () => storage.getStore()?.place,
      run: async (place, fn) => {
        const scope = { place };

        try {
          return await storage.run(scope, fn);
        } finally {
          scope.place = undefined;
        }
      },
    });
  },
  'a nested scope that ends in none': () => {
    const storage = new AsyncLocalStorage<{ place: Place }>();

    return worldOf({
      get: () => storage.getStore()?.place,
      run: async (place, fn) => {
        const outer = storage.getStore();

        try {
          return await storage.run({ place }, fn);
        } finally {
          if (outer !== undefined) {
            outer.place = undefined;
          }
        }
      },
    });
  },
  'an EntityManager of the outermost scope': () => {
    const memory = soundMemory();
    const outermost = new AsyncLocalStorage<Place>();
    const run: Memory['run'] = (place, fn) => outermost.run(outermost.getStore() ?? place, () => memory.run(place, fn));
    const world = worldOf({ get: () => memory.get(), run });

    return { ...world, here: () => ({ ...world.here(), em: tenantOf(outermost.getStore())?.name }) };
  },
  'a result of the tenant that asked first': () => {
    const memory = soundMemory();
    const world = worldOf(memory);
    let cached: string | undefined;

    return {
      ...world,
      read: async path => (tenantOf(memory.get()) === undefined ? world.read(path) : (cached ??= await world.read(path))),
    };
  },
  'a scope that is a name, and whoever has it': () => {
    const memory = soundMemory();
    const names = new Names();
    const world = worldOf(memory, names);

    return { ...world, read: async () => names.ownerOf(tenantOf(memory.get())) };
  },
  'a row that is entered under the name that it was loaded with': () => {
    const memory = soundMemory();
    const names = new Names();

    return {
      ...worldOf(memory, names),
      inTenant: ({ label, name }, by, fn) => {
        const known = by === 'row' ? (names.firstOf(label) ?? name) : name;

        return memory.run({ label: names.labelOf(known) ?? label, name: known }, fn);
      },
    };
  },
  'a query that asks whose its name is when it is run': () => {
    const memory = soundMemory();
    const names = new Names();
    const world = worldOf(memory, names);

    return {
      ...world,
      keep: path => {
        const tenant = tenantOf(memory.get());

        return path === 'fork' ? world.keep(path) : async () => names.ownerOf(tenant);
      },
    };
  },
  'a tenant that is looked up by its name once, and for ever': () => {
    const memory = soundMemory();
    const names = new Names();
    const known = new Map<string, Named>();
    const world = worldOf(memory, names);

    return {
      ...world,
      inTenant: (tenant, by, fn) => {
        const entered = by === 'row' ? tenant : (known.get(tenant.name) ?? tenant);
        known.set(tenant.name, entered);

        return memory.run(entered, fn);
      },
    };
  },
  'a refusal that asks for the name alone, where another has it': () => {
    const memory = soundMemory();
    const names = new Names();
    const world = worldOf(memory, names);

    return {
      ...world,
      write: async (text, path) => (names.labelOf(tenantOf(memory.get())?.name ?? '') === undefined ? world.write(text, path) : undefined),
    };
  },
  'a query that asks for its tenant when it is run': () => {
    const world = worldOf(soundMemory());

    return { ...world, keep: path => (path === 'fork' ? world.keep(path) : () => world.read('find')) };
  },
  'a path of the connection, taken to be set after a rollback has taken it back': () => {
    const memory = soundMemory();
    const names = new Names();
    const connections = new AsyncLocalStorage<Connection>();

    return {
      ...worldOf(memory, names),
      inTransaction: fn => {
        const connection = connections.getStore() ?? { path: undefined, known: undefined };
        const before = connection.path;

        return connections.run(connection, () =>
          fn().catch((error: unknown) => {
            connection.path = before;
            throw error;
          }),
        );
      },
      read: async () => {
        const connection = connections.getStore() ?? { path: undefined, known: undefined };
        const answer = names.answerFor(tenantOf(memory.get()));

        if (answer !== NO_TENANT && answer !== CHANGED && connection.known !== answer) {
          connection.path = answer;
          connection.known = answer;
        }

        return answer === NO_TENANT || answer === CHANGED ? answer : (connection.path ?? 'nothing');
      },
    };
  },
};

interface Connection {
  path: string | undefined;
  known: string | undefined;
}

function soundMemory(): Memory {
  const storage = new AsyncLocalStorage<Place>();

  return { get: () => storage.getStore(), run: (place, fn) => storage.run(place, fn) };
}

function boxes(restores: (ended: 'returned' | 'thrown') => boolean): Memory {
  const storage = new AsyncLocalStorage<{ place: Place }>();

  return {
    get: () => storage.getStore()?.place,
    run: async (place, fn) => {
      const box = storage.getStore();

      if (box === undefined) {
        return storage.run({ place }, fn);
      }

      const outer = box.place;
      box.place = place;
      let ended: 'returned' | 'thrown' = 'thrown';

      try {
        const result = await fn();
        ended = 'returned';

        return result;
      } finally {
        if (restores(ended)) {
          box.place = outer;
        }
      }
    },
  };
}

/** Who has which name. A tenant that was not changed has its label as its name. */
class Names {
  readonly #labels = new Map<string, string | undefined>();
  readonly #first = new Map<string, string>();

  /** The label of whoever has the name; undefined where nobody has. */
  labelOf(name: string): string | undefined {
    return this.#labels.has(name) ? this.#labels.get(name) : name;
  }

  /** The name under which the tenant was created. */
  firstOf(label: string): string | undefined {
    return this.#first.get(label);
  }

  answerFor(tenant: Named | undefined): string {
    return tenant === undefined ? NO_TENANT : this.labelOf(tenant.name) === tenant.label ? tenant.label : CHANGED;
  }

  /** The same of a world that does not know who had it. */
  ownerOf(tenant: Named | undefined): string {
    return tenant === undefined ? NO_TENANT : (this.labelOf(tenant.name) ?? CHANGED);
  }

  change(change: Change): void {
    switch (change.kind) {
      case 'rename':
        this.#remember(change.label, change.from);
        this.#labels.set(change.from, undefined).set(change.to, change.label);
        break;
      case 're-create':
        this.#remember(change.newLabel, change.name);
        this.#labels.set(change.name, change.newLabel);
        break;
      case 'swap':
        change.labels.forEach((label, index) => {
          this.#remember(label, change.names[index]!);
          this.#labels.set(change.names[1 - index]!, label);
        });
    }
  }

  #remember(label: string, name: string): void {
    this.#first.set(label, this.#first.get(label) ?? name);
  }
}

function worldOf(memory: Memory, names = new Names()): World {
  const read = async (): Promise<string> => names.answerFor(tenantOf(memory.get()));

  return {
    inTenant: (tenant, _by, fn) => memory.run(tenant, fn),
    inPublic: fn => memory.run(PUBLIC, fn),
    inTransaction: fn => fn(),
    forEach: async (all, concurrency, fn) => {
      const failed: string[] = [];
      await pMap(all, name => memory.run({ label: names.labelOf(name) ?? name, name }, () => fn(name)).catch(() => failed.push(name)), {
        concurrency,
      });

      return failed;
    },
    change: async change => names.change(change),
    here: () => hereOf(memory.get()),
    read,
    keep: path => {
      const tenant = tenantOf(memory.get());

      return async () => {
        const now = tenantOf(memory.get());

        if (path === 'fork' && now !== undefined && tenant !== undefined && now.name !== tenant.name) {
          return OTHER_TENANT;
        }

        return path === 'fork' && now !== undefined && now.label !== tenant?.label ? CHANGED : names.answerFor(tenant);
      };
    },
    write: async () => {
      const answer = await read();

      return answer === CHANGED ? CHANGED : undefined;
    },
    abortedRead: async () => undefined,
  };
}

function hereOf(place: Place): ReturnType<World['here']> {
  const name = tenantOf(place)?.name;

  return { tenant: name, schema: name ?? (place === PUBLIC ? PUBLIC : undefined), em: name };
}

function tenantOf(place: Place): Named | undefined {
  return place === PUBLIC ? undefined : place;
}
