import { quoteIdentifier } from '../../postgres/schema-name.js';
import type { Around, Query, QueryResult } from '../statements/kysely-types.js';
import { isOwn, KEEP, type RequiredSettings } from '../statements/required-settings.js';
import type { SqlTarget } from '../statements/sql-target.js';
import { mayWrite } from '../statements/statement-kinds.js';
import type { TenantLimiter } from '../pool/tenant-limiter.js';
import { extendedPath, type SessionPath } from './search-path.js';
import { aroundRawIn, pathFrom, putBackRoleSql, putBackSql, settingsIn, swapSql } from '../statements/settings-sql.js';
import type { Settings, SettingsFound, Statement } from '../statements/settings-sql.js';

/** Puts back what was set for a statement. */
export type Leave = () => Promise<void>;

/**
 * A transaction of a connection, and what is set in it. It remembers nothing beyond its own end: behind a pooler the next one may be on
 * another of the server's connections, and somebody else may have set this one.
 */
export class GuardedTransaction {
  /** That of the scope which it began in; undefined for the connection's own. */
  readonly role: string | undefined;
  /** What its beginning failed of. */
  failure: { readonly error: unknown } | undefined;
  hasBegun = false;
  /** False once raw SQL has ended it. */
  isOpen = true;
  /** Whether a migration has kept the path in a setting, and set its own. */
  hasKeptPath = false;

  readonly #session: GuardedSession;
  readonly #isSingle: boolean;
  #hasRole: boolean;
  // what the session had before anything was set here
  #ownRole: string | undefined;
  #found: Settings | undefined;
  // what the session had, where it was asked for at the beginning
  #sessionPath: string | undefined;
  // whether something was sent as it is, of which a trigger may have set path or role for the transaction
  #isTouched = false;

  /** One that is single has one statement, which it ends with. */
  constructor(session: GuardedSession, role: string | undefined, { isSingle = false }: { readonly isSingle?: boolean } = {}) {
    this.role = role;
    this.#session = session;
    this.#isSingle = isSingle;
    this.#hasRole = role === undefined;
  }

  /** Whether a statement that wants this can be sent as it is. */
  hasAll({ kind, path, role }: RequiredSettings): boolean {
    return this.isOpen
      ? this.#hasRole &&
          (role === KEEP || role === this.role) &&
          (kind === 'quiet' || kind === 'keeping' || (kind === 'setting' && this.#found !== undefined))
      : kind !== 'raw' && isOwn({ path, role });
  }

  /** The same of a statement that is then sent as it is. */
  passes(required: RequiredSettings, sql: string): boolean {
    const isPassed = this.hasAll(required);
    this.#isTouched ||= isPassed && mayWrite(sql);

    return isPassed;
  }

  /** A new transaction has begun in its place. */
  renew(): void {
    this.isOpen = true;
    this.#hasRole = this.role === undefined;
    this.#ownRole = undefined;
    this.#found = undefined;
    this.#sessionPath = undefined;
    this.#isTouched = false;
    this.hasKeptPath = false;
  }

  /** Sets what is required for a statement. */
  async enter({ kind, path, role: wantedRole }: RequiredSettings): Promise<Leave> {
    const role = wantedRole === KEEP ? this.role : wantedRole;

    if (role !== this.role) {
      await this.takeRole();
    }

    const isFirst = !this.#hasRole;
    const taken = role === this.role ? (isFirst ? role : undefined) : (role ?? this.#ownRole);

    if (path === undefined && taken === undefined && this.#found !== undefined) {
      return nothing;
    }

    const { before, found } = await this.#swap(path, taken);
    const isSwapped = taken !== undefined && !isFirst;

    if (path !== undefined && kind === 'raw') {
      // a role that raw SQL has taken is the transaction's, but not the session's
      const goesOn = { path: before.path, role: isSwapped ? before.role : undefined };

      return () => this.#send(putBackSql(found, this.#isSingle ? undefined : goesOn));
    }

    return isSwapped && !this.#isSingle ? () => this.#send(putBackRoleSql(before.role)) : nothing;
  }

  /** What raw SQL can be sent with in one message, after which `noteFound` is to be told the answer. Undefined where it needs more than one. */
  aroundRaw({ kind, path, role }: RequiredSettings): Around | undefined {
    const isOfRole = this.#hasRole && (role === KEEP || role === this.role);
    const isFound = this.#found !== undefined || (this.#sessionPath === undefined && !this.#isTouched && !this.hasKeptPath);

    return kind === 'raw' && path !== undefined && isOfRole && isFound && !this.#isSingle
      ? aroundRawIn(path, this.#found, this.#ownRole)
      : undefined;
  }

  noteFound(before: QueryResult['before']): void {
    if (before?.[0] !== undefined && this.isOpen) {
      const found = settingsIn(before);
      const { role, authorization } = found;
      this.#found ??= { path: this.#pathOfSession(found), role: this.#ownRole ?? role, authorization };
    }
  }

  /**
   * Sets what is required for a statement that takes no snapshot, by statements that take none: what a transaction reads after a lock has to be what
   * others have committed before it had that.
   */
  async enterWithoutSnapshot({ path, role: wantedRole }: RequiredSettings): Promise<Leave> {
    await this.takeRole();

    const role = wantedRole === KEEP ? this.role : wantedRole;
    const taken = role === this.role ? undefined : (role ?? this.#ownRole);
    const pathBefore = path === undefined ? undefined : pathFrom(await this.#show('search_path'));
    const roleBefore = taken === undefined ? undefined : await this.#show('role');
    await this.#setLocally(path, taken);

    return () => this.#setLocally(pathBefore, roleBefore);
  }

  /** Takes its role, before anything that a rollback may come back to: it would else be the connection's own again. */
  async takeRole(): Promise<void> {
    if (this.#hasRole || !this.isOpen) {
      return;
    }

    const ownRole = await this.#show('role');

    // a statement that Kysely has sent meanwhile may have taken it
    if (!this.#hasRole) {
      this.#ownRole = ownRole;
      await this.#setLocally(undefined, this.role);
      this.#hasRole = true;
    }
  }

  /**
   * Appends schemas to its path, for the transaction alone, before anything that a rollback may come back to, and notes what the session has. It takes
   * no snapshot: what the caller sets for the transaction has to come before one.
   */
  async prepare(schemas: readonly string[], { notesSessions = false }: { readonly notesSessions?: boolean } = {}): Promise<void> {
    if (notesSessions) {
      this.#ownRole = await this.#show('role');
    }

    if (notesSessions || schemas.length > 0) {
      this.#sessionPath = await this.#show('search_path');
      await this.#setLocally(extendedPath(this.#sessionPath, schemas), undefined);
    }
  }

  async #swap(path: string | undefined, role: string | undefined): Promise<{ readonly before: Settings; readonly found: Settings }> {
    const isUnsure = this.#isTouched && this.#found === undefined;
    const before = settingsIn(
      await this.#try(role, () => this.#session.send(...swapSql(path, role, isUnsure ? this.#session.path : undefined))),
    );

    if (!this.#hasRole) {
      this.#hasRole = true;
      this.#ownRole = before.role;
    }

    this.#found ??= {
      path: this.#sessionPath ?? (this.hasKeptPath ? before.kept : this.#pathOfSession(before)),
      role: this.#ownRole ?? (isUnsure ? this.#roleOfSession(before) : before.role),
      authorization: before.authorization,
    };

    return { before, found: this.#found };
  }

  /** A path that was set for the session or for the transaction, nobody can tell which, is not taken for the session's. */
  #pathOfSession({ path, resetPath }: SettingsFound): string {
    if (resetPath !== undefined) {
      this.#session.doubt();

      return this.#session.path.known ?? resetPath;
    }

    this.#session.path.known = path;

    return path;
  }

  #roleOfSession({ role }: SettingsFound): string {
    if (role !== 'none') {
      this.#session.doubt();
    }

    return 'none';
  }

  async #setLocally(path: string | undefined, role: string | undefined): Promise<void> {
    if (role !== undefined) {
      await this.#try(role, () => this.#session.send(`set local role ${role === 'none' ? role : quoteIdentifier(role)}`, []));
    }

    if (path !== undefined) {
      await this.#session.send(`set local search_path to ${path}`, []);
    }
  }

  /** Where the transaction cannot have its role, all that comes after it fails of that too. */
  async #try<Result>(role: string | undefined, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      const explained = this.#session.explain(error, role);

      if (!this.#hasRole && explained !== error) {
        this.failure = { error: explained };
      }

      throw explained;
    }
  }

  async #show(name: 'search_path' | 'role'): Promise<string> {
    const [row] = await this.#session.send(`show ${name}`, []);

    return String(row?.[name]);
  }

  async #send([sql, values]: Statement): Promise<void> {
    await this.#session.send(sql, values);
  }
}

/** Decides what statements run with. */
export interface SqlGuard {
  /** What has to be waited for before anything is sent. */
  gate(): Promise<void> | undefined;

  /** What limits how many connections a tenant has at once; undefined where nothing does. */
  readonly limiter: TenantLimiter | undefined;

  /** Whom the statement is for. Throws where it must not be. */
  targetFor(query: Query): SqlTarget;

  /** What the statement has to run with; undefined for what, outside of a transaction, is sent as it is. */
  settingsFor(query: Query, target: SqlTarget, isInTransaction: boolean): RequiredSettings | undefined;

  /** The role that a transaction which begins now is of; undefined for the connection's own. */
  roleNow(): string | undefined;

  /** The error that tells what a refusal comes of: the role that could not be set, or the pooler. */
  explain(error: unknown, role: string | undefined): unknown;

  /** The schemas that every statement is to find what it needs in. */
  searchPath(): readonly string[];

  /** Whether what a session has is to be noted at the beginning of each transaction, as somebody sets it. */
  notesSessions: boolean;

  /** Whether a statement, or a transaction that begins now, is to find them. What the library sends by itself names all it needs. */
  isSearching(query?: Query): boolean;

  log(sql: string): void;
}

/** The connection, for statements of ours. */
export interface GuardedSession {
  send(sql: string, values: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;

  /** The error that tells why the role could not be set, where it is that. */
  explain(error: unknown, role: string | undefined): unknown;

  readonly path: SessionPath;

  /** To be called where it cannot be told what the session has had: nobody gets it again, and the next ones are asked in time. */
  doubt(): void;
}

async function nothing(): Promise<void> {}
