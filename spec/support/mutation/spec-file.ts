import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { ALL, type Which } from './groups.ts';

/**
 * A file of specs, which processes of its own run as often as they are asked. A process may have kept something of an earlier run: if what fails
 * does not pass again without mutants, the process is ended, and another one is asked.
 */
export class SpecFile {
  readonly #file: string;
  readonly #folder: string;
  readonly #passAlone = new Map([[ALL, true]]);
  #process: ChildProcess | undefined;
  #atLoad = '[]';
  #isUsed = false;
  #limitMs = 300_000;

  constructor(file: string, folder: string) {
    this.#file = file;
    this.#folder = folder;
  }

  /** Runs it without mutants. What it reaches is what it may notice. */
  async look(): Promise<Answer> {
    const begun = performance.now();
    const answer = await this.#ask({ active: [] }, []);
    this.#limitMs = 30_000 + 4 * (performance.now() - begun);

    return answer;
  }

  /**
   * Runs specs of it with these mutants. If they fail, it is what fits those that fail, if that can run alone. A process that
   * ends, or does not come to an end, has failed.
   */
  async failing(active: readonly string[], { isLoaded, ...which }: Which & { readonly isLoaded: boolean }): Promise<string | undefined> {
    const atLoad = isLoaded ? active : [];
    const isUsed = this.#isUsed && this.#process !== undefined && JSON.stringify(atLoad) === this.#atLoad;
    const { failure } = await this.#ask({ active, ...which }, atLoad);

    if (failure === undefined) {
      return undefined;
    }

    const isLeft = this.#process !== undefined && !isLoaded;

    if (isLeft || !this.#passAlone.has(failure.only)) {
      const passes = (await this.#ask({ active: [], only: failure.only }, [])).failure === undefined;

      if (!passes) {
        await this.end();
      }

      if (!passes && isLeft && isUsed) {
        // an earlier run may be the cause
        return await this.failing(active, { isLoaded, ...which });
      }

      this.#passAlone.set(failure.only, passes);
    }

    return this.#passAlone.get(failure.only) === true ? failure.only : ALL;
  }

  /** Ends its process, and all that it has started, and drops the databases that a failing spec keeps. */
  async end(): Promise<void> {
    const { pid } = this.#process ?? {};
    this.#process = undefined;
    this.#isUsed = false;

    if (pid !== undefined) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // it has ended
      }

      await dropDatabasesOf(pid);
    }
  }

  /** Asks a process that has loaded the specs with these mutants. */
  async #ask(asked: Asked, atLoad: readonly string[]): Promise<Answer> {
    const loaded = JSON.stringify(atLoad);

    if (this.#process === undefined || loaded !== this.#atLoad) {
      await this.end();
      this.#atLoad = loaded;
      this.#process = this.#start(loaded);

      if ((await this.#message(60_000)) === undefined) {
        return await this.#noAnswer();
      }
    }

    this.#isUsed = true;
    const answer = this.#message(this.#limitMs) as Promise<Answer | undefined>;
    this.#process.send(asked, () => undefined);

    return (await answer) ?? (await this.#noAnswer());
  }

  #start(atLoad: string): ChildProcess {
    const child = fork('spec/support/mutation/spec-process.ts', [this.#file], {
      cwd: this.#folder,
      execArgv: NODE_OPTIONS,
      env: { ...process.env, MUTATION_AT_LOAD: atLoad },
      stdio: process.env['MUTATION_OUTPUT'] === undefined ? 'ignore' : 'inherit',
      detached: true,
    });

    return child.on('exit', () => {
      if (this.#process === child) {
        this.#process = undefined;
      }
    });
  }

  async #noAnswer(): Promise<Answer> {
    await this.end();

    return { failure: { only: ALL, message: 'It did not come to an end' }, atLoad: [], reached: [] };
  }

  /** The next message of the process, or nothing if it ends or takes too long. */
  async #message(limitMs: number): Promise<unknown> {
    const child = this.#process as ChildProcess;
    let stop = (): void => undefined;
    const message = new Promise<unknown>(resolve => {
      const ended = (): void => resolve(undefined);
      const timer = setTimeout(ended, limitMs);
      child.once('message', resolve).once('exit', ended).once('error', ended);
      stop = () => {
        clearTimeout(timer);
        child.off('message', resolve).off('exit', ended).off('error', ended);
      };
    });

    return await message.finally(stop);
  }
}

async function dropDatabasesOf(pid: number): Promise<void> {
  const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
  await client.connect();

  try {
    const { rows } = await client.query<{ datname: string }>(`select datname from pg_database where datname ~ $1`, [
      `^landlord_spec_.*_${pid}_\\d+$`,
    ]);

    for (const { datname } of rows) {
      await client.query(`drop database if exists "${datname}" with (force)`);
    }
  } finally {
    await client.end();
  }
}

const NODE_OPTIONS = (JSON.parse(readFileSync('.mocharc.json', 'utf8')) as { readonly 'node-option': readonly string[] })[
  'node-option'
].map(option => `--${option}`);

/** What the process of the specs is asked, and what it answers. */
export interface Asked extends Which {
  readonly active: readonly string[];
}

export interface Answer {
  readonly failure: Failure | undefined;
  /** The mutants that are reached as modules are loaded. */
  readonly atLoad: readonly string[];
  readonly reached: readonly string[];
}

export interface Failure {
  /** What fits the specs that fail. */
  readonly only: string;
  readonly message: string;
}
