import { CLIHelper } from '@mikro-orm/cli';
import type { CitusFinding } from '../migrations/set/citus/lint.js';
import { oneLine, paint } from './output.js';

/** Prints what Citus would refuse in a migration, and what to write instead. */
export function dumpFinding({ migration, statement, problem, remedy }: CitusFinding): void {
  CLIHelper.dump(paint(`${migration}: ${problem} ${remedy} Statement: ${oneLine(statement)}`, 'yellow', process.stdout));
}
