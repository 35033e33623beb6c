/**
 * The generated SQL with each constraint dropped once. MikroORM drops a foreign key twice if it is given another target and the table that it
 * referred to is dropped. Those that `isOptional` names may be gone already.
 */
export function dropOnce(sql: string, isOptional: (constraint: string) => boolean = () => false): string {
  const dropped = new Set<string>();

  return sql
    .split('\n')
    .flatMap(line => {
      const [, table = '', constraint] = DROPPED.exec(line) ?? [];

      if (constraint === undefined) {
        const [, owner, added] = ADDED.exec(line) ?? [];
        dropped.delete(`${owner} ${added}`);

        return [line];
      }

      const key = `${table} ${constraint}`;

      if (dropped.has(key)) {
        return [];
      }

      dropped.add(key);

      return [isOptional(constraint) ? line.replace(' drop constraint ', ' drop constraint if exists ') : line];
    })
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n');
}

const TABLE = String.raw`alter table ((?:"[^"]+"\.)?"[^"]+")`;

const DROPPED = new RegExp(`^${TABLE} drop constraint "([^"]+)";$`);

const ADDED = new RegExp(`^${TABLE} add constraint "([^"]+)" `);
