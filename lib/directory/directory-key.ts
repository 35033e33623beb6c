/** What a resolver reads off a request: the property of the tenant entity that is its own in each row, and the value to look for. */
export interface DirectoryKey {
  readonly property: string;
  /** Of the property's type, in the form in which it is stored: a host is canonical. */
  readonly value: string;
}
