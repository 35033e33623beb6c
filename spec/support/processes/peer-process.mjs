// Lives with tenants as a process of its own, beside that of its parent, and does what it is told to by messages.
import { PEER_ENTITIES, PEER_OPTIONS, PeerLife } from '../models/peer-life.ts';
import { answerParent } from './answer-parent.mjs';
import { openOrm } from './open-orm.mjs';

const { directory, pool } = JSON.parse(process.env.PEER_OPTIONS);
const orm = await openOrm({ ...PEER_OPTIONS, directory }, { entities: PEER_ENTITIES, pool });
const life = new PeerLife(orm);

answerParent({ call: ([work, ...args]) => life.call(work, args) }, async () => {
  await life.end();
  await orm.close();
});
