import { expect } from 'chai';
import fc from 'fast-check';
import { describeFailure } from '../support/generators/property.ts';
import { LEAKY_WORLDS, soundWorld } from '../support/models/scope-model/leaky-worlds.ts';
import { scopeModel, type ScopeModelOptions } from '../support/models/scope-model/run.ts';
import { tenantsOf } from '../support/models/scope-model/tenants.ts';
import { KEPT_PATHS } from '../support/models/scope-model/world.ts';

// the numbers must be the same in every run
const SEED = 20_260_101;

describe('the model of the scopes', () => {
  const options = (): ScopeModelOptions => ({
    tenants: () => tenantsOf(['t00', 't01', 't02', 't03']),
    changes: 40,
    flows: 4,
    // no timers, so that a shrunk case fails reproducibly
    waits: ['promise', 'nextTick', 'microtask', 'generator'],
    maxCommands: 200,
    maxTransactions: 3,
    keptPaths: KEPT_PATHS,
    count: { operations: 0 },
    written: new Map(),
  });

  it('law 8: finds nothing in a world that does not leak', async () => {
    await fc.assert(scopeModel(soundWorld, options()), { seed: SEED, numRuns: 50 });
  });

  for (const [name, world] of Object.entries(LEAKY_WORLDS)) {
    it(`law 8: finds ${name}, and tells it in a few steps`, async () => {
      const details = await fc.check(scopeModel(world, options()), { seed: SEED, numRuns: 50 });
      expect(details.failed, 'the leak was found').to.equal(true);
      const steps = [...details.counterexample![0]].map(String);
      expect(steps.length, steps.join(', ')).to.be.at.most(8);
      expect(describeFailure(details)).to.match(
        /^seed 20260101, path [\d:]+, \d+ times shrunk, fails with .*\n\[(flow|rename|re-create|swap) \d/,
      );
    });
  }
});
