import { rmSync } from 'node:fs';
import { open, realpath, rename, stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { Writable } from 'node:stream';
import { callbackify } from 'node:util';
import { RunUsageError } from '../errors/index.js';

/**
 * Runs `fn` with a stream to the file. The file gets its name when all is written, so what had that name stays as it was if anything fails.
 *
 * @throws RunUsageError `RUN_USAGE` if the file cannot be written.
 */
export async function writeFileOf(option: string, name: string, fn: (to: Writable) => Promise<void>): Promise<void> {
  const whole = await realpath(name).catch(() => name);
  const written = (await isReplaced(whole)) ? `${whole}.${process.pid}.part` : whole;
  const refuse = (cause: unknown): never => {
    throw RunUsageError.unwritable(option, name, cause);
  };
  const handle = await open(written, 'w', 0o600).catch(refuse);
  const discard = (): void => (written === whole ? undefined : rmSync(written, { force: true }));
  process.once('exit', discard);

  try {
    await exitOnSignals(() => writeBy(chunk => handle.appendFile(chunk), fn, refuse));
    await handle.close();
    await (written === whole ? undefined : rename(written, whole).catch(refuse));
  } catch (error) {
    await handle.close();
    discard();

    throw error;
  } finally {
    process.off('exit', discard);
  }
}

/**
 * Runs `fn` with a stream to the standard output, which stays open when that fails: the error is printed then.
 *
 * @throws RunUsageError `RUN_USAGE` if its reader has ended, such as `head`.
 */
export function writeOutput(fn: (to: Writable) => Promise<void>): Promise<void> {
  const write = (chunk: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => process.stdout.write(chunk, error => (error == null ? resolve() : reject(error))));

  return writeBy(write, fn, cause => {
    throw RunUsageError.outputClosed(cause);
  });
}

/** @throws RunUsageError `RUN_USAGE` if the file cannot be read. */
export async function checkReadable(option: string, name: string): Promise<void> {
  try {
    await (await open(name)).close();
  } catch (cause) {
    throw RunUsageError.unreadable(option, name, cause);
  }
}

/** Ends the process by `process.exit()` at a signal, so that unfinished files are removed. The server rolls back what is not committed. */
export async function exitOnSignals<Result>(fn: () => Promise<Result>): Promise<Result> {
  const exit = (signal: NodeJS.Signals): never => process.exit(128 + constants.signals[signal]);
  SIGNALS.forEach(name => process.on(name, exit));

  try {
    return await fn();
  } finally {
    SIGNALS.forEach(name => process.off(name, exit));
  }
}

/** Runs `fn` with a stream, and tells what `write` fails with from all other errors: a lost connection to the database has the same codes. */
async function writeBy(
  write: (chunk: Uint8Array) => Promise<void>,
  fn: (to: Writable) => Promise<void>,
  refuse: (cause: unknown) => never,
): Promise<void> {
  const failures: unknown[] = [];
  const noted = async (chunk: Uint8Array): Promise<void> => {
    try {
      await write(chunk);
    } catch (error) {
      failures.push(error);

      throw error;
    }
  };
  const to = new Writable({ write: (chunk: Uint8Array, _encoding, done) => callbackify(noted)(chunk, done) });

  try {
    await fn(to);
  } catch (error) {
    return failures.length > 0 ? refuse(failures[0]) : Promise.reject(error);
  }
}

/** What is no file, such as a pipe or `/dev/null`, is written to as it is. */
async function isReplaced(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? true;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
