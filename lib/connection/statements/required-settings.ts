/** Stands for the role that there is, whichever it is. */
export const KEEP = Symbol('keep');

/** What a statement has to run with. */
export interface RequiredSettings {
  /** Undefined where it stays as it is. */
  readonly path: string | undefined;
  /** Undefined for the connection's own. */
  readonly role: string | undefined | typeof KEEP;
  /**
   * `raw` is SQL of the user's own, which may do anything; `setting` is what is meant to set path or role for all of the transaction;
   * `keeping` is what keeps the path in a setting before it sets its own; all else is `quiet`.
   */
  readonly kind: 'raw' | 'setting' | 'keeping' | 'quiet';
}

/** What has neither a path nor a role of its own. */
export const AS_IT_IS: RequiredSettings = { path: undefined, role: undefined, kind: 'quiet' };

/** Whether that is what the connection has by itself. */
export function isOwn({ path, role }: Pick<RequiredSettings, 'path' | 'role'>): boolean {
  return path === undefined && (role === undefined || role === KEEP);
}
