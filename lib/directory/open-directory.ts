import type { TenantDatabase } from '../database/tenant-database.js';
import { leaveScope } from '../orm/mikro-context.js';
import type { WrappedEntityManager } from '../scope/wrapped-orm.js';
import { channelOf } from '../database/change-channel.js';
import { Directory, type ChangeListener } from './directory.js';
import { holdRow, type HeldRow } from './held-tenant.js';
import { Listener } from './listener.js';
import { listenOn } from './notice-connections.js';
import type { LookupSource } from './lookups.js';

/** The directory of an ORM's tenants. */
export function openDirectory(database: TenantDatabase): Directory<HeldRow> {
  const { directory: options } = database.options;
  const listener = options.listen === false ? NOT_LISTENING : listenerOf(database, (...names) => database.changes.publish(...names));
  const directory: Directory<HeldRow> = new Directory(options, sourceOf(database), listener);
  database.changes.subscribe((...names) => directory.forget(...names));
  database.rules.identities.wouldHaveHeard = (since, now) => listener.hears(since, now);
  database.onClose(() => directory.close());

  return directory;
}

function sourceOf(database: TenantDatabase): LookupSource<HeldRow> {
  const { orm, options } = database;
  // of no scope, whichever the flow is in
  const fork = (): WrappedEntityManager => orm.em.fork({ disableContextResolution: true });

  return {
    findBy: (property, values) =>
      // in nobody's scope and transaction, as the answer is for all
      leaveScope(async () => {
        // the primary: a replica may be behind what was told; and not what MikroORM has cached
        const rows = await fork().find(
          options.tenant,
          { [property]: { $in: values } },
          {
            connectionType: 'write',
            cache: false,
          },
        );

        const tenants = (await database.tenants.identify(rows)).filter(tenant => tenant !== undefined);

        return new Map(tenants.map(tenant => [String(tenant.row[property as keyof typeof tenant.row]), holdRow(tenant, fork)]));
      }),
  };
}

function listenerOf(database: TenantDatabase, onChange: (...schemaNames: readonly string[]) => void): ChangeListener {
  const { orm, options } = database;
  const { publicSchema, tenantMeta } = database.rules;
  const { listen, ttlMs } = options.directory;
  const warn = (message: string): void => orm.config.getLogger().warn('info', message, { enabled: true });

  return new Listener({
    onChange,
    onDeaf: () =>
      warn(
        `The directory of tenants hears of no changes, as on a transaction pooler or where the connection is your own: what another process changes is seen after up to ${ttlMs} ms. ` +
          'Give the URL of the database itself: `directory: { listen: { url } }`, or choose `listen: false` and a shorter `ttlMs`.',
      ),
    onFailure: error =>
      warn(
        `The directory of tenants cannot listen for changes (${String(error)}), so tenants are looked up again each second. It keeps trying.`,
      ),
    connect: async (onNotice, signal) => {
      const native = await orm.em
        .getConnection('write')
        .getNativeClient()
        .catch(() => undefined);

      return (
        (await listenOn(native, {
          channel: channelOf(publicSchema, tenantMeta.root.tableName),
          onNotice,
          signal,
          ...(typeof listen === 'object' ? { url: listen.url } : {}),
        })) ?? UNHEARD
      );
    },
  });
}

const NOT_LISTENING: ChangeListener = {
  start: () => undefined,
  wouldHaveHeard: () => true,
  hears: () => false,
  close: async () => undefined,
};

/** Where the connection is a Kysely of the user's own, which tells no class to make another of. */
const UNHEARD = { ended: Promise.resolve(), isHearing: async () => false, ping: async () => undefined, close: async () => undefined };
