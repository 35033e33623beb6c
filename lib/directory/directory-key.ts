/** The key of a tenant, as read from a request: a unique property of the tenant entity, and its value. */
export interface DirectoryKey {
  readonly property: string;
  /** The value in its stored form. A host is canonical. */
  readonly value: string;
}
