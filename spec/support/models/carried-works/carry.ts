import { TenantError } from '@landlord/mikro-orm';
import { asObserver } from '../../assertions/statement-watch.ts';
import { randomNumbers, randomPick } from '../../generators/random.ts';
import { TAKES, WRAPS } from './takes.ts';
import { OWN, USES } from './uses.ts';
import { FIRST_KEY, otherOf, type Twin, type World } from './world.ts';

/** What is carried, and what is done with it. The rest is by the seed: who carries it to whom, in what, and when. */
export interface Work {
  readonly kind: string;
  readonly take: string;
  readonly use: string;
}

/** All works with things of a kind. Those that follow one another are of all the things, and of uses from all over the list. */
export function worksOf(kind: string): readonly Work[] {
  const takes = Object.keys(TAKES[kind]!);
  const uses = [...Object.keys(USES), ...Object.keys(OWN)];
  const step = Math.ceil(uses.length / takes.length);

  return uses.flatMap((_, shift) => takes.map((take, index) => ({ kind, take, use: uses[(index * step + shift) % uses.length]! })));
}

/**
 * Takes a thing in one tenant's scope and uses it in the other one's. Any error will do, as most uses make no sense of most things. What is done with
 * the thing itself may be served for its own tenant, so that only the rows are looked at then.
 */
export async function carry(world: World, { kind, take, use }: Work, seed: number): Promise<Carried> {
  const pick = randomPick(randomNumbers(seed));
  const from = pick<Twin>(['acme', 'bob']);
  const to = otherOf(from);
  const moment = pick(['afterwards', 'nested', 'in a fork', 'in a transaction']);
  const wrap = pick([pick(Object.keys(WRAPS)), 'itself', 'itself']);
  const title = `${use} <- ${take}, ${wrap}, ${from} to ${to}, ${moment}, seed ${seed}`;
  let count = 0;
  const useOne = (em: unknown, thing: unknown): unknown =>
    (USES[use] ?? OWN[use])!({ em, thing, key: FIRST_KEY[to], pick, next: () => 10 + (count += 1) });
  // in a list, as a promise would wait for a thing that can be awaited
  const takeOne = async (em: unknown): Promise<readonly [unknown]> => {
    const box = [TAKES[kind]![take]!(em, FIRST_KEY[from], pick)];

    return [box[0] instanceof Promise ? await box[0] : box[0]];
  };
  const usedBy = ([taken]: readonly [unknown]): Promise<{ wrong: string[]; error: unknown }> =>
    world.run(
      to,
      async (em: any) => {
        const thing = WRAPS[wrap]!(taken);

        if (moment === 'in a transaction') {
          return em.transactional(async (tx: unknown) => useOne(tx, thing));
        }

        return useOne(moment === 'in a fork' ? em.fork() : em, thing);
      },
      { isOwners: use in OWN },
    );

  const work = async (): Promise<Carried> => {
    let taken: readonly [unknown] | undefined;
    let told: { wrong: string[]; error: unknown } | undefined;
    const taking = await world.run(from, async em => {
      taken = await takeOne(em);

      if (moment === 'nested') {
        told = await usedBy(taken);
      }
    });

    if (taken === undefined) {
      return { wrong: [`${title}: nothing was taken: ${String(taking.error)}`], isRefused: false };
    }

    told ??= await usedBy(taken);
    const wrong = [...told.wrong, ...(await world.wrongRows())];

    return { wrong: wrong.map(each => `${title}: ${each}`), isRefused: told.error instanceof TenantError };
  };

  return withinTime(asObserver(work), title);
}

async function withinTime<Result>(work: Promise<Result>, title: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it waits for ever: ${title}`)), 20_000);
  });

  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Carried {
  readonly wrong: readonly string[];
  readonly isRefused: boolean;
}
