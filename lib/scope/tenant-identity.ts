/**
 * Which tenant it is: its row and its schema. Its name alone does not say that: a name that one tenant gives up, by a rename or a drop,
 * can be another one's at once.
 */
export interface TenantIdentity {
  readonly schemaName: string;

  /** The key of its row, in one text. */
  readonly key: string;

  /** The same as the database takes it, a value for each column. */
  readonly keyValues: readonly unknown[];

  /** The object id of its schema, which a rename keeps and no later schema gets; undefined where there was no schema. */
  readonly schemaOid: string | undefined;
}

/** The tenant of an EntityManager or of a query: its name, and which tenant that is where it is known. */
export interface TenantRef {
  readonly schemaName: string;
  readonly identity?: TenantIdentity | undefined;
}

/** Stands for two tenants of one name, of which an EntityManager is one's and the scope the other's. */
export function nobody(schemaName: string): TenantIdentity {
  return { schemaName, key: '', keyValues: [], schemaOid: NO_SCHEMA };
}

export function isNobody({ schemaOid }: TenantIdentity): boolean {
  return schemaOid === NO_SCHEMA;
}

export function isSameTenant(one: TenantIdentity | undefined, other: TenantIdentity | undefined): boolean {
  // what is not known differs from nothing
  return one === undefined || other === undefined || one === other || (one.key === other.key && one.schemaOid === other.schemaOid);
}

// of which there is none
const NO_SCHEMA = '0';
