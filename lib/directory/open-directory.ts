import { nativeClientOf } from '../connection/pool/pooled-connection.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import type { TenantHosts } from '../database/tenant-hosts.js';
import { OF_ITSELF } from '../orm/fork-options.js';
import { leaveScope } from '../orm/mikro-context.js';
import type { WrappedEntityManager } from '../scope/wrapped-orm.js';
import { isPglite } from '../tenant/is-pglite.js';
import { filtersOfServed } from '../database/served-tenants.js';
import { channelOf } from '../database/change-channel.js';
import { Directory, isTrusted, type ChangeListener } from './directory.js';
import { holdRow, type HeldRow } from './held-tenant.js';
import { Listener, type NoticeConnection } from './listener.js';
import { listenOn } from './notice-connections.js';
import type { LookupSource } from './lookups.js';

/** Opens the directory of the tenants of an ORM. */
export function openDirectory(database: TenantDatabase): Directory<HeldRow> {
  const { directory: options } = database.options;
  const listener = options.listen === false ? NOT_LISTENING : listenerOf(database, (...names) => database.changes.publish(...names));
  const directory: Directory<HeldRow> = new Directory(options, sourceOf(database), listener);
  database.changes.trust((askedAt, now) => isTrusted(listener, { askedAt, now, ttlMs: options.ttlMs }));
  database.changes.subscribe((...names) => directory.forget(...names));
  database.rules.identities.wouldHaveHeard = (since, now) => listener.receives(since, now);
  database.onClose(() => directory.close());

  return directory;
}

function sourceOf(database: TenantDatabase): LookupSource<HeldRow> {
  const { orm, options, hosts } = database;
  // independent of the scope of the caller
  const fork = (): WrappedEntityManager => orm.em.fork(OF_ITSELF);
  const findBy = async (property: string, values: readonly string[]): Promise<ReadonlyMap<string, HeldRow>> => {
    // from the primary, because a replica may lag behind the notification, and not from MikroORM's result cache
    const em = fork();
    const rows = await em.find(
      options.tenant,
      { [property]: { $in: values } },
      { connectionType: 'write', cache: false, filters: filtersOfServed(em, database.rules) },
    );

    const tenants = (await database.tenants.identify(rows)).filter(tenant => tenant !== undefined);

    return new Map(tenants.map(tenant => [String(tenant.row[property as keyof typeof tenant.row]), holdRow(tenant, fork)]));
  };
  const find = hosts === undefined ? findBy : findWithHosts(hosts, findBy);

  return {
    // outside the caller's scope and transaction, because the answer is cached for all requests
    findBy: (property, values) => leaveScope(() => find(property, values)),
  };
}

/** Finds tenants by each of their hosts in place of `domainUrl` alone, and gives all that are found their primary host. */
function findWithHosts(hosts: TenantHosts, findBy: LookupSource<HeldRow>['findBy']): LookupSource<HeldRow>['findBy'] {
  return async (property, values) => {
    if (property !== 'domainUrl') {
      const found = await findBy(property, values);
      const names = [...found.values()].map(({ schemaName }) => schemaName);
      const primary = names.length === 0 ? new Map<string, string>() : await hosts.primaryOf(names, undefined);

      return new Map([...found].map(([value, held]) => [value, { ...held, primaryHost: primary.get(held.schemaName) }]));
    }

    return hosts.findTenants(values, undefined, names => findBy('schemaName', names));
  };
}

/**
 * Whether a process with these options hears of changes: it listens on a connection of its own, and sends itself a notice. Undefined where it does
 * not listen.
 */
export async function hearsChanges(database: TenantDatabase): Promise<boolean | undefined> {
  if (database.options.directory.listen === false) {
    return undefined;
  }

  // in the process itself
  if (isPglite(database.orm.config.getPlatform())) {
    return true;
  }

  const connection = await connect(database, () => undefined, new AbortController().signal);

  try {
    return await connection.receivesNotices();
  } finally {
    await connection.close();
  }
}

async function connect(
  { orm, options, rules }: TenantDatabase,
  onNotice: (payload: string) => void,
  signal: AbortSignal,
): Promise<NoticeConnection> {
  const { listen } = options.directory;
  const native = await nativeClientOf(orm);

  return (
    (await listenOn(native, {
      channel: channelOf(rules.publicSchema, rules.tenantMeta.root.tableName),
      platform: orm.config.getPlatform(),
      onNotice,
      signal,
      ...(typeof listen === 'object' ? { url: listen.url } : {}),
    })) ?? NEVER_NOTIFIED
  );
}

function listenerOf(database: TenantDatabase, onChange: (...schemaNames: readonly string[]) => void): ChangeListener {
  const { orm, options } = database;
  const { ttlMs } = options.directory;
  const warn = (message: string): void => orm.config.getLogger().warn('info', message, { enabled: true });

  return new Listener({
    runInContext: fn => database.inContextOfStart(fn),
    onChange,
    onNoNotices: () =>
      warn(
        `The directory of tenants receives no notifications of changes. It cannot receive them through a pooler or on your own Kysely dialect. Changes by other processes take effect after up to ${ttlMs} ms. ` +
          'Give the URL of the database itself, `directory: { listen: { url } }`, or set `listen: false` and a shorter `ttlMs`.',
      ),
    onFailure: error =>
      warn(
        `The directory of tenants cannot listen for changes: ${String(error)}. Until it can, each tenant is looked up again after one second. It keeps trying.`,
      ),
    connect: (onNotice, signal) => connect(database, onNotice, signal),
  });
}

const NOT_LISTENING: ChangeListener = {
  start: () => undefined,
  wouldHaveReported: () => true,
  receives: () => false,
  close: async () => undefined,
};

/** Used with a Kysely dialect of the user, which does not expose a client class. */
const NEVER_NOTIFIED = {
  ended: Promise.resolve(),
  receivesNotices: async () => false,
  ping: async () => undefined,
  close: async () => undefined,
};
