import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { MikroORM } from '@mikro-orm/core';
import pMap from 'p-map';
import type { TenantService } from '../api/tenant-service.js';
import { reasonOf, RunUsageError } from '../errors/index.js';
import { isPglite } from '../tenant/is-pglite.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { EXIT } from './exit.js';
import { count, oneLine, print, printError, writeJson } from './output.js';
import { detailsOf, duration } from './run-summary.js';
import { numberOf, selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `tenant:exec`: the exit code of the program, or 1 if it has failed for one of several tenants. */
export function runProgram(args: TenantArgs): Promise<number> {
  const { tenant, tenants, all = false, where, program = [] } = args;
  const isForMany = all || tenants !== undefined || where !== undefined;

  if (program.length === 0) {
    throw RunUsageError.noProgram();
  }

  if ((tenant !== undefined) === isForMany) {
    throw RunUsageError.option('TENANT', tenant, 'one schema name, or left out with `--all`, `--tenants` or `--where`');
  }

  return withTenantsOf(args, async (service, orm) => {
    const children = new Children();

    try {
      const code = await (tenant === undefined
        ? runForSelected(args, { service, orm, children })
        : runForOne(tenant, args, { service, orm, children }));

      // what does not answer would keep the ORM from closing
      return children.hasGivenUp ? process.exit(code) : code;
    } finally {
      children.release();
    }
  });
}

async function runForOne(tenant: string, { program = [] }: TenantArgs, { service, orm, children }: Running): Promise<number> {
  const environmentOf = await environmentsOf(orm, service, [tenant]);
  const environment = await children.unlessStopped(environmentOf(tenant));

  return environment === undefined ? children.exitCode : children.ended(children.start(program, environment, 'inherit'));
}

async function runForSelected(args: TenantArgs, { service, orm, children }: Running): Promise<number> {
  const selected = await children.unlessStopped(service.list(selectionOf(args)));

  if (selected === undefined) {
    return EXIT.interrupted;
  }

  const isAlone = isPglite(orm.driver.getPlatform());

  return runForMany(selected, { children, args, isAlone, environmentOf: await environmentsOf(orm, service, selected) });
}

async function environmentsOf(orm: MikroORM, service: TenantService, selected: readonly Selected[]): Promise<EnvironmentOf> {
  return isPglite(orm.driver.getPlatform()) ? environmentsWithout(orm, service, selected) : each => service.environment(each);
}

/** Finds the environments of all, and closes the ORM: a folder of PGlite is one process's at a time, and what another one writes meanwhile is lost. */
async function environmentsWithout(orm: MikroORM, service: TenantService, selected: readonly Selected[]): Promise<EnvironmentOf> {
  const found = new Map<Selected, Readonly<Record<string, string>>>();

  for (const each of selected) {
    found.set(each, await service.environment(each));
  }

  await orm.close(true);

  return async each => found.get(each) ?? {};
}

async function runForMany(
  selected: readonly TenantMixin<unknown>[],
  { children, args, isAlone, environmentOf }: { children: Children; args: TenantArgs; isAlone: boolean; environmentOf: EnvironmentOf },
): Promise<number> {
  const { program = [], json, quiet } = args;
  const run = async (tenant: TenantMixin<unknown>): Promise<Outcome> => {
    // as it was when it was selected
    const { schemaName } = tenant;

    if (children.isStopped) {
      return { schemaName, code: undefined };
    }

    const start = performance.now();
    const environment = await children.unlessStopped(environmentOf(tenant).catch((error: unknown) => ({ error })));

    if (environment === undefined) {
      return { schemaName, code: undefined };
    }

    // such as one that was dropped meanwhile
    if ('error' in environment) {
      const { error } = environment;

      if (json === true) {
        writeJson('tenant', { schemaName, error: { message: reasonOf(error), ...detailsOf(error) } });
      } else {
        printError(`${schemaName}: ${oneLine(reasonOf(error))}`);
      }

      return { schemaName, code: EXIT.failed };
    }

    const child = children.start(program, environment, 'pipe');
    passOn(child, schemaName, args);
    const code = await children.ended(child);
    const durationMs = Math.round(performance.now() - start);

    if (json === true) {
      writeJson('tenant', { schemaName, code, durationMs });
    } else if (code !== 0) {
      printError(`${schemaName}: exit code ${code}`);
    } else if (quiet !== true) {
      print(`${schemaName}: done (${duration(durationMs)})`, 'grey');
    }

    return { schemaName, code };
  };

  const concurrency = numberOf('--concurrency', args.concurrency, 1) ?? DEFAULT_CONCURRENCY;
  const outcomes = await pMap(selected, run, { concurrency: isAlone ? 1 : concurrency });
  const [notBegun, ended] = [outcomes.filter(({ code }) => code === undefined), outcomes.filter(({ code }) => code !== undefined)];
  const failed = ended.filter(({ code }) => code !== 0).map(({ schemaName }) => schemaName);

  if (json === true) {
    writeJson('summary', {
      total: outcomes.length,
      done: ended.length - failed.length,
      failed,
      notBegun: notBegun.map(({ schemaName }) => schemaName),
    });
  } else {
    print(
      `${count(outcomes.length, 'tenant')}: ${ended.length - failed.length} done, ${failed.length} failed${notBegun.length > 0 ? `, ${notBegun.length} not started` : ''}`,
      failed.length + notBegun.length === 0 ? 'green' : 'yellow',
    );
  }

  return children.isStopped ? EXIT.interrupted : failed.length === 0 ? EXIT.done : EXIT.failed;
}

/** Prints what the program prints, each line with its tenant. */
function passOn(child: ChildProcess, schemaName: string, { json }: TenantArgs): void {
  for (const stream of ['stdout', 'stderr'] as const) {
    const input = child[stream];

    if (input !== null) {
      process
        .getBuiltinModule('node:readline')
        .createInterface({ input })
        .on('line', line => {
          if (json === true) {
            writeJson('output', { schemaName, stream, line });
          } else {
            (stream === 'stdout' ? console.log : console.error)(`${schemaName} | ${line}`);
          }
        });
    }
  }
}

/** The programs that are running. They get the signals that this process gets. */
class Children {
  /** Whether something was not waited for any more when a signal came. */
  hasGivenUp = false;
  #stoppedBy: NodeJS.Signals | undefined;
  #stop: () => void = () => undefined;
  readonly #stopped = new Promise<undefined>(resolve => {
    this.#stop = () => resolve(undefined);
  });
  readonly #running = new Set<ChildProcess>();
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#stoppedBy ??= signal;
    this.#stop();

    // a terminal sends Ctrl-C to the programs too
    if (signal !== 'SIGINT' || !process.stdin.isTTY) {
      this.#running.forEach(child => child.kill(signal));
    }
  };

  constructor() {
    SIGNALS.forEach(name => process.on(name, this.#onSignal));
  }

  /** Whether a signal has come. */
  get isStopped(): boolean {
    return this.#stoppedBy !== undefined;
  }

  /** That of a program which the signal has ended. */
  get exitCode(): number {
    return 128 + (this.#stoppedBy === undefined ? 0 : constants.signals[this.#stoppedBy]);
  }

  /** What has to be known before a program is started. Undefined as soon as a signal comes: the database may not answer for long. */
  async unlessStopped<Result>(work: Promise<Result>): Promise<Result | undefined> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    const result = await Promise.race([done, this.#stopped]);
    this.hasGivenUp ||= !isDone;

    return this.isStopped ? undefined : result;
  }

  start([command = '', ...args]: readonly string[], env: Readonly<Record<string, string>>, stdio: 'inherit' | 'pipe'): ChildProcess {
    const child = process.getBuiltinModule('node:child_process').spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: stdio === 'inherit' ? stdio : ['ignore', 'pipe', 'pipe'],
    });
    this.#running.add(child);

    return child;
  }

  /** Its exit code, which is 128 and more after a signal, and 127 if it could not be started, as in a shell. */
  async ended(child: ChildProcess): Promise<number> {
    return new Promise(resolve => {
      child.once('error', error => {
        this.#running.delete(child);
        printError(error.message);
        resolve(NOT_STARTED);
      });
      child.once('close', (code, signal) => {
        this.#running.delete(child);
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  }

  release(): void {
    SIGNALS.forEach(name => process.off(name, this.#onSignal));
  }
}

interface Running {
  readonly service: TenantService;
  readonly orm: MikroORM;
  readonly children: Children;
}

type Selected = TenantMixin<unknown> | string;

type EnvironmentOf = (each: Selected) => Promise<Readonly<Record<string, string>>>;

interface Outcome {
  readonly schemaName: string;
  /** Undefined if it was not started. */
  readonly code: number | undefined;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const NOT_STARTED = 127;

const DEFAULT_CONCURRENCY = 4;
