import fc from 'fast-check';
import { COLLECTIONS, KINDS, type Kind } from './entities.ts';

/** What is done with an EntityManager. A held entity is named by a number, which counts round the entities of its kind that there are. */
export type Step =
  | { readonly does: 'new' | 'create' | 'mergeData' | 'upsertData' | 'findOne' | 'getReference'; readonly kind: Kind; readonly key: number }
  | { readonly does: 'createWithItems'; readonly key: number }
  | { readonly does: 'assignItems'; readonly doc: number; readonly key: number }
  | { readonly does: 'persist' | 'remove' | 'merge' | 'upsert' | 'refresh'; readonly held: number }
  | { readonly does: 'upsertMany'; readonly held: readonly number[] }
  | { readonly does: 'assign' | 'change'; readonly held: number; readonly name: string }
  | { readonly does: 'own'; readonly doc: number; readonly person: number | null }
  | { readonly does: 'add' | 'take'; readonly doc: number; readonly collection: keyof typeof COLLECTIONS; readonly item: number }
  | { readonly does: 'takeAll' | 'load'; readonly doc: number; readonly collection: keyof typeof COLLECTIONS }
  | { readonly does: 'find'; readonly kind: Kind }
  | { readonly does: 'flush' | 'clear' }
  | { readonly does: 'transactional'; readonly steps: readonly Step[]; readonly fails: boolean };

/** Lists of steps, with transactions in transactions. */
export function anySteps(maxSteps: number): fc.Arbitrary<Step[]> {
  return fc.array(anyStep(2), { minLength: 2, maxLength: maxSteps, size: 'max' });
}

function anyStep(depth: number): fc.Arbitrary<Step> {
  const simple = [
    { weight: 5, arbitrary: step(['new', 'create'], { kind, key }) },
    { weight: 5, arbitrary: step(['mergeData', 'upsertData', 'findOne', 'getReference'], { kind, key }) },
    { weight: 6, arbitrary: step(['persist', 'remove', 'remove', 'merge', 'upsert', 'refresh'], { held }) },
    { weight: 1, arbitrary: step(['createWithItems', 'assignItems'], { doc: held, key }) },
    { weight: 1, arbitrary: step(['upsertMany'], { held: fc.array(held, { minLength: 1, maxLength: 3 }) }) },
    { weight: 2, arbitrary: step(['assign', 'change'], { held, name: fc.constantFrom('x', 'y') }) },
    { weight: 1, arbitrary: step(['own'], { doc: held, person: fc.option(held) }) },
    { weight: 3, arbitrary: step(['add', 'take'], { doc: held, collection, item: held }) },
    { weight: 1, arbitrary: step(['takeAll', 'load'], { doc: held, collection }) },
    { weight: 1, arbitrary: step(['find'], { kind }) },
    { weight: 5, arbitrary: step(['flush', 'flush', 'flush', 'flush', 'clear'], {}) },
  ];

  if (depth === 0) {
    return fc.oneof(...simple);
  }

  const steps = fc.array(anyStep(depth - 1), { maxLength: 5 });

  return fc.oneof(...simple, { weight: 2, arbitrary: step(['transactional'], { steps, fails: fc.nat(4).map(n => n === 0) }) });
}

function step(does: readonly string[], rest: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Step> {
  return fc.record({ does: fc.constantFrom(...does), ...rest }) as unknown as fc.Arbitrary<Step>;
}

const kind = fc.constantFrom<Kind>(...KINDS, 'Doc', 'Note', 'Pair');
const collection = fc.constantFrom(...(Object.keys(COLLECTIONS) as (keyof typeof COLLECTIONS)[]));
const key = fc.integer({ min: 1, max: 2 });
const held = fc.nat(7);
