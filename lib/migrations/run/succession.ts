import { MigrationSetError } from '../../errors/index.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';

/** The names in the history for which the migration stands, if it has them all. The migration is then recorded in their place, and not run. */
export function replacedIn({ replaces = [] }: Pick<TenantMigration, 'replaces'>, executed: readonly string[]): readonly string[] {
  return replaces.length > 0 && replaces.every(name => executed.includes(name)) ? replaces : [];
}

/**
 * Refuses to run a migration that the schema has under another name: one whose file was renamed, or a part of one that stands for several.
 * A history has only names, so a file counts as renamed if an unknown name has its time stamp, or its name after another time stamp.
 *
 * @throws MigrationSetError `MIGRATION_RENAMED`, `MIGRATION_ROLLED_UP`
 */
export function checkSuccession(set: MigrationSet, planned: readonly TenantMigration[], executed: readonly string[]): void {
  const known = new Set(set.flatMap(({ name, replaces = [] }) => [name, ...replaces]));
  const unknown = executed.filter(name => !known.has(name));

  for (const { name, replaces = [] } of planned) {
    const lacking = replaces.filter(each => !executed.includes(each));

    if (lacking.length > 0 && lacking.length < replaces.length) {
      throw MigrationSetError.partlyRolledUp(name, lacking);
    }

    const former = unknown.find(each => isRenamed(each, name));

    if (former !== undefined && replaces.length === 0) {
      throw MigrationSetError.renamed(name, former);
    }
  }
}

function isRenamed(former: string, name: string): boolean {
  const [before, after] = [partsOf(former), partsOf(name)];

  return (
    before !== undefined && after !== undefined && (before.stamp === after.stamp || (before.title !== '' && before.title === after.title))
  );
}

/** `Migration20261123063104_add_isbn`: its time stamp and what comes after it. */
function partsOf(name: string): { readonly stamp: string; readonly title: string } | undefined {
  const [, stamp, title] = /(\d{14})(.*)$/s.exec(name) ?? [];

  return stamp === undefined || title === undefined ? undefined : { stamp, title: title.replace(/^[_-]/, '') };
}
