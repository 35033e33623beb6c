import fc, { type IAsyncProperty } from 'fast-check';
import { commandLists } from '../../generators/property.ts';
import { anyCommand } from './commands.ts';
import { Flow } from './flow.ts';
import { finish, FlowState, type Model, type Real } from './model.ts';
import type { Tenants } from './tenants.ts';
import type { Wait } from './waits.ts';
import type { KeptPath, World } from './world.ts';

export interface ScopeModelOptions {
  /** The tenants that a run begins with, and may change. */
  readonly tenants: () => Tenants;
  /** How many of a thousand commands change tenants. */
  readonly changes: number;
  readonly flows: number;
  readonly waits: readonly Wait[];
  /** The longest list of commands. */
  readonly maxCommands: number;
  readonly maxTransactions: number;
  readonly keptPaths: readonly KeptPath[];
  /** Counts the commands that were run. */
  readonly count: { operations: number };
  /** The rows of each tenant that were committed. */
  readonly written: Map<string, number>;
}

/** Checks that flows which enter and leave scopes at random see and read what the model predicts. */
export function scopeModel(openWorld: () => World, options: ScopeModelOptions): IAsyncProperty<[Iterable<fc.AsyncCommand<Model, Real>>]> {
  const { tenants, flows, waits, maxCommands, maxTransactions, keptPaths, count, written, changes } = options;

  return fc.asyncProperty(commandLists<Model, Real>([anyCommand(flows, tenants().length, waits, changes)], maxCommands), async commands => {
    const model: Model = {
      tenants: tenants(),
      flows: Array.from({ length: flows }, () => new FlowState()),
      maxTransactions,
      keptPaths,
      kept: [],
      bound: [],
      written,
    };
    const real: Real = {
      world: openWorld(),
      flows: Array.from({ length: flows }, () => new Flow()),
      kept: [],
      bound: [],
      pending: [],
      failures: [],
      count,
    };

    try {
      await fc.asyncModelRun(() => ({ model, real }), commands);
    } catch (error) {
      real.failures.unshift(error);
    }

    await finish(model, real);
  });
}
