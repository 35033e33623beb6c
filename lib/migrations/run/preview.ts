import { searchPathOf } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { namesOf } from '../history/histories.js';
import { History } from '../history/history.js';
import { queuedSql } from './migrate-schema.js';
import { loadMigrationSet } from '../set/migration-set.js';
import { checkTarget } from './plan.js';
import { planWithMoved } from './plan-moved.js';
import { planRun } from './plan-run.js';
import { readOptionsOf, targetOf } from './run-options.js';
import type { MigrateOptions } from './run-types.js';
import { selectSchemaNames } from './selection.js';
import { replacedIn } from './succession.js';

/** The migrations that would run in tenants with the same history. */
export interface RunPreview {
  readonly schemaNames: readonly string[];
  readonly migrations: readonly string[];
  /** The SQL for the first tenant. A comment stands for SQL that cannot be known without running the migration. */
  readonly sql: readonly string[];
  /** Why the run would refuse the tenant, whose migrations are then not known. */
  readonly error?: unknown;
}

/** Returns what a run would do. Takes no lock and changes nothing. */
export async function previewRun(database: TenantDatabase, options: MigrateOptions = {}): Promise<RunPreview[]> {
  const target = targetOf(options);
  const set = await loadMigrationSet(database);
  checkTarget(set, target);
  const { work, refused } = await planWithMoved(database, await selectSchemaNames(database, options), {
    selection: options,
    plan: names => planRun(database, { load: async () => set }, target, names, readOptionsOf(options)),
  });
  const groups = new Map<string, PreviewGroup>();

  for (const { schemaName, planned, executed } of work) {
    const migrations = planned.map(({ name }) => name);
    const replaced = new Map(planned.map(each => [each.name, target.direction === 'up' ? replacedIn(each, namesOf({ executed })) : []]));
    const key = JSON.stringify([...replaced]);
    const group = groups.get(key) ?? { schemaNames: [], migrations, replaced };
    group.schemaNames.push(schemaName);
    groups.set(key, group);
  }

  const previews = await Promise.all(
    [...groups.values()].map(async ({ replaced, ...group }) => {
      const [first = ''] = group.schemaNames;
      const history = new History(database, first);
      const sql: string[] = [];

      for (const name of group.migrations) {
        const migration = set.find(each => each.name === name);
        const old = replaced.get(name) ?? [];

        if (old.length > 0) {
          sql.push(`-- ${name}`, ...history.replaceSql(old, name));
          continue;
        }

        sql.push(`-- ${name}`, `set local search_path to ${searchPathOf(first, ...database.options.searchPath)}`);

        if (migration !== undefined) {
          const queued = await queuedSql(database, migration, target.direction, first);
          sql.push(...queued.sql, ...(queued.isComplete ? [] : [REST]));
        }

        sql.push(target.direction === 'up' ? history.addSql(name) : history.removeSql(name));
      }

      return { ...group, sql };
    }),
  );

  return [...previews, ...refused.map(({ schemaName, error }) => ({ schemaNames: [schemaName], migrations: [], sql: [], error }))];
}

const REST = '-- from here the migration reads the database or uses the ORM, so the remaining SQL depends on the tenant';

interface PreviewGroup {
  readonly schemaNames: string[];
  readonly migrations: readonly string[];
  /** What is recorded under another name, for each migration. */
  readonly replaced: ReadonlyMap<string, readonly string[]>;
}
