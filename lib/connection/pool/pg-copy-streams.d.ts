// the package has no types of its own
declare module 'pg-copy-streams' {
  import type { Readable, Writable } from 'node:stream';

  export function to(sql: string): Readable & { readonly rowCount: number };
  export function from(sql: string): Writable & { readonly rowCount: number };
}
