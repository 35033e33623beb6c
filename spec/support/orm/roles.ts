import type { SpecDatabase } from '../databases/database.ts';

/** Unique role names for one spec. Roles belong to the whole cluster, which other specs use too. */
export interface SpecRoles {
  readonly prefix: string;
  readonly shared: string;
  readonly ddl: string;
  readonly login: string;
  create(): Promise<void>;
  list(): Promise<string[]>;
  drop(): Promise<void>;
}

export function rolesOf(database: SpecDatabase, name: string): SpecRoles {
  const own = `spec_${name}_${process.pid}`;
  const [shared, ddl, login] = [`${own}_shared`, `${own}_ddl`, `${own}_login`];
  const prefix = `${own}_t_`;
  const all = async (): Promise<string[]> => {
    const rows = await database.query<{ name: string }>(
      `select rolname::text as name from pg_roles where starts_with(rolname, $1) order by 1`,
      [own],
    );

    return rows.map(row => row.name);
  };

  return {
    prefix,
    shared,
    ddl,
    login,
    create: async () => {
      await database.query(`create role "${shared}" nologin`);
    },
    list: async () => (await all()).filter(role => role.startsWith(prefix)),
    drop: async () => {
      for (const role of await all()) {
        await database.query(`drop owned by "${role}" cascade`);
        await database.query(`drop role "${role}"`);
      }
    },
  };
}
