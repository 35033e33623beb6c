import type { Wire, WireResult } from './wire.js';

/**
 * The settings of the one connection of a test. What is set for a transaction ends with it. In a test that transaction is a savepoint, whose
 * release keeps its settings, so they are set back: else the path of one tenant would be left for the next statement.
 */
export class SessionSettings {
  readonly #wire: Wire;
  /** What there is outside of the transactions of the code under test. */
  readonly #base = new Map<string, string | null>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Notes the settings that every test has, as `READS_SETTINGS` has read them. */
  begin(result: WireResult | undefined): void {
    this.#take(ALWAYS, result);
  }

  /** Notes what SQL is about to set. */
  async before(sql: string, touched: Set<string>): Promise<void> {
    const names = settingsIn(sql);
    const unknown = names.filter(name => !this.#base.has(name));
    names.forEach(name => touched.add(name));

    if (unknown.length > 0) {
      await this.#read(unknown);
    }
  }

  /** Notes what SQL outside of a transaction has set for the session. */
  async after(sql: string): Promise<void> {
    const names = settingsIn(sql);

    if (names.length > 0) {
      await this.#read(names);
    }
  }

  /** A statement that sets back what a transaction has touched. */
  restore(touched: ReadonlySet<string>): string | undefined {
    const sets = [...touched].flatMap(name => {
      const value = this.#base.get(name) ?? '';

      // PGlite tells no user of the session, and takes no empty one
      return value === '' && USERS.has(name) ? [] : `pg_catalog.set_config('${name}', '${value.replaceAll("'", "''")}', true)`;
    });

    return sets.length === 0 ? undefined : `select ${sets.join(', ')}`;
  }

  async #read(names: readonly string[]): Promise<void> {
    this.#take(names, [await this.#wire.send({ sql: readSql(names) })].flat()[0]);
  }

  #take(names: readonly string[], result: WireResult | undefined): void {
    names.forEach((name, index) => this.#base.set(name, result?.rows[0]?.[`s${index}`] ?? null));
  }
}

function readSql(names: readonly string[]): string {
  return `select ${names.map((name, index) => `pg_catalog.current_setting('${name}', true) as s${index}`).join(', ')}`;
}

/** The settings that SQL names where it sets something. A name that it only computes is not seen. */
function settingsIn(sql: string): string[] {
  if (!SETS.test(sql)) {
    return [];
  }

  const names = [...sql.matchAll(SET_CONFIG), ...sql.matchAll(SET)].map(([, name = '']) => name.toLowerCase());

  return [...new Set(names.map(name => OTHER_NAMES[name] ?? name))].filter(name => !NO_SETTINGS.has(name));
}

const USERS: ReadonlySet<string> = new Set(['role', 'session_authorization']);

const ALWAYS = ['search_path', 'role'];

/** Reads the settings that every test has. */
export const READS_SETTINGS = readSql(ALWAYS);

const SETS = /\bset(?:_config)?\b/i;

const SET_CONFIG = /\bset_config\s*\(\s*'([a-z_][\w.]*)'/gi;

// at the beginning of a statement: an `update … set` names columns
const SET = /(?:^|;)\s*set\s+(?:(?:local|session)\s+)?"?([a-z_][\w.]*)/gi;

const OTHER_NAMES: Readonly<Record<string, string>> = { authorization: 'session_authorization', schema: 'search_path', time: 'timezone' };

const NO_SETTINGS: ReadonlySet<string> = new Set(['transaction', 'constraints', 'names', 'characteristics']);
