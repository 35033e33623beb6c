import { AsyncLocalStorage } from 'node:async_hooks';
import pMap from 'p-map';
import { NO_TENANT, OTHER_TENANT, PUBLIC, type World } from './world.ts';

type Place = string | undefined;

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

    return { ...world, here: () => ({ ...world.here(), em: tenantOf(outermost.getStore()) }) };
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
  'a query that asks for its tenant when it is run': () => {
    const world = worldOf(soundMemory());

    return { ...world, keep: path => (path === 'fork' ? world.keep(path) : () => world.read('find')) };
  },
  'a path of the connection, taken to be set after a rollback has taken it back': () => {
    const memory = soundMemory();
    const connections = new AsyncLocalStorage<Connection>();

    return {
      ...worldOf(memory),
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
        const tenant = tenantOf(memory.get());

        if (tenant !== undefined && connection.known !== tenant) {
          connection.path = tenant;
          connection.known = tenant;
        }

        return tenant === undefined ? NO_TENANT : (connection.path ?? 'nothing');
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

function worldOf(memory: Memory): World {
  const read = async (): Promise<string> => tenantOf(memory.get()) ?? NO_TENANT;

  return {
    inTenant: (tenant, _by, fn) => memory.run(tenant, fn),
    inPublic: fn => memory.run(PUBLIC, fn),
    inTransaction: fn => fn(),
    forEach: async (tenants, concurrency, fn) => {
      const failed: string[] = [];
      await pMap(tenants, tenant => memory.run(tenant, () => fn(tenant)).catch(() => failed.push(tenant)), { concurrency });

      return failed;
    },
    here: () => hereOf(memory.get()),
    read,
    keep: path => {
      const tenant = tenantOf(memory.get()) ?? NO_TENANT;

      return async () => {
        const now = tenantOf(memory.get());

        return path === 'fork' && now !== undefined && now !== tenant ? OTHER_TENANT : tenant;
      };
    },
    write: async () => undefined,
    abortedRead: async () => undefined,
  };
}

function hereOf(place: Place): ReturnType<World['here']> {
  return { tenant: tenantOf(place), schema: place, em: tenantOf(place) };
}

function tenantOf(place: Place): string | undefined {
  return place === PUBLIC ? undefined : place;
}
