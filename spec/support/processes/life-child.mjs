// Lives with tenants until it is killed: does one thing after another to them, two at a time, and tells its parent.
import { LIFE_ENTITIES, LIFE_OPTIONS, live } from '../models/lives.ts';
import { randomNumbers } from '../generators/random.ts';
import { openOrm } from './open-orm.mjs';

const orm = await openOrm(LIFE_OPTIONS, { entities: LIFE_ENTITIES, pool: { max: 4 } });
const random = randomNumbers(Number(process.argv[2]));
const listeners = {
  onStep: (step, isDone) => process.send({ step, isDone }),
  onError: error => process.send({ error: error?.stack ?? String(error) }),
};

await Promise.all([live(orm, random, listeners), live(orm, random, listeners)]);
