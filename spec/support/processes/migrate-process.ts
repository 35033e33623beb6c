import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';

/** The report of a process that migrates all tenants. */
export interface ProcessResult {
  readonly migrated: readonly string[];
  readonly failed: readonly string[];
  readonly upToDate: number;
}

export interface MigrateProcess {
  readonly process: ChildProcess;
  /** Its report. Undefined if it was killed. */
  readonly ended: Promise<ProcessResult | undefined>;
}

/** Starts a process that migrates all tenants by the list: names, and the statements of each. */
export function startMigrating(url: string, migrations: readonly (readonly [name: string, ...statements: string[]])[]): MigrateProcess {
  const child = spawn(process.execPath, [join(ROOT, 'spec/support/processes/migrate-child.mjs')], {
    env: { ...process.env, PGAPPNAME: 'spec child', DATABASE_URL: url, MIGRATIONS: JSON.stringify(migrations) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors]: [string[], string[]] = [[], []];
  child.stdout.on('data', chunk => output.push(String(chunk)));
  child.stderr.on('data', chunk => errors.push(String(chunk)));

  const ended = new Promise<ProcessResult | undefined>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => {
      if (code === 0) {
        resolve(JSON.parse(output.join('')) as ProcessResult);
      } else if (code === null) {
        resolve(undefined);
      } else {
        reject(new Error(`exit code ${code}: ${errors.join('')}`));
      }
    });
  });

  return { process: child, ended };
}
