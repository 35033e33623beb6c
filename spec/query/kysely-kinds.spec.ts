import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import * as kysely from 'kysely';
import { OperationNodeTransformer, TableNode, type Kysely, type OperationNode } from 'kysely';
import { onDatabases } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

interface Tables {
  book: { id: number; title: string };
  /** Of no entity. */
  ledger: { id: number };
}

/** Where a node of Kysely's has others. */
interface Place {
  readonly kind: string;
  readonly key: string;
  readonly isList: boolean;
}

/** Writes down which parts of a node are nodes to Kysely. */
class PartsOf extends OperationNodeTransformer {
  readonly places: Place[] = [];
  readonly #kind: string;

  constructor(kind: string) {
    super();
    this.#kind = kind;
    const node = new Proxy({}, { get: (_, key) => (key === 'kind' ? kind : Object.assign([], { key })) });
    super.transformNode(node as never, { queryId: 'x' });
  }

  override transformNode(part: any): any {
    return this.#see(part, false);
  }

  override transformNodeList(part: any): any {
    return this.#see(part, true);
  }

  #see(part: { readonly key: string }, isList: boolean): unknown {
    if (!this.places.some(({ key }) => key === part.key)) {
      this.places.push({ kind: this.#kind, key: part.key, isList });
    }

    return part;
  }
}

const KINDS = Object.keys(kysely).filter(name => name.endsWith('Node') && attempt(() => new PartsOf(name)) !== undefined);

const PLACES = KINDS.flatMap(kind => new PartsOf(kind).places);

const QUERY_ID = { queryId: 'of the spec' };

onDatabases('the kinds of nodes in Kysely', database => {
  let orm: LibraryOrm;
  const kyselyOf = (em: TenantEntityManager): Kysely<Tables> => em.getKysely();
  const nodeAt = ({ kind, key, isList }: Place, part: object): OperationNode =>
    ({ kind, sqlFragments: [], [key]: isList ? [part] : part }) as never;
  const transform = (db: Kysely<Tables>, node: OperationNode): unknown => db.getExecutor().transformQuery(node as never, QUERY_ID);
  const inAcme = <T>(fn: (db: Kysely<Tables>) => T): Promise<T> => runInTenant('acme', async em => fn(kyselyOf(em)));

  before(async () => {
    orm = await openTwins(database);
  });

  it('S13 they are many, and have many places', () => {
    expect(KINDS.length).to.be.greaterThan(90);
    expect(PLACES.length).to.be.greaterThan(150);
    expect(PLACES).to.deep.include({ kind: 'SelectQueryNode', key: 'where', isList: false });
    expect(PLACES).to.deep.include({ kind: 'FromNode', key: 'froms', isList: true });
  });

  it('S13 a query that was built for one tenant is refused in another’s, in every place of every kind', async () => {
    const [bobs] = await runInTenant('bob', async em => [kyselyOf(em).selectFrom('ledger').select('id').toOperationNode()]);

    await inAcme(async db => {
      for (const place of [...PLACES, { kind: 'OfNoKysely', key: 'anything', isList: false }]) {
        const title = `${place.kind}.${place.key}`;
        await refusal(() => transform(db, nodeAt(place, bobs)), 'CROSS_TENANT', title);
        await refusal(() => transform(db, nodeAt(place, { kind: 'ParensNode', node: bobs })), 'CROSS_TENANT', `deep in ${title}`);
      }
    });
  });

  it('S13, law 1 another tenant’s table is refused, and the own is qualified as Kysely does it, in every place of every kind', async () => {
    const stock = (orm.em.fork().getConnection().getClient() as unknown as Kysely<Tables>).withSchema('acme');
    const without: string[] = [];

    await inAcme(async db => {
      for (const place of PLACES) {
        const title = `${place.kind}.${place.key}`;
        const bobs = nodeAt(place, TableNode.createWithSchema('bob', 'book'));
        const stocks = attempt(() => transform(stock, bobs));

        // which Kysely expects something else than a table in
        if (stocks === undefined) {
          without.push(title);
        } else {
          await refusal(() => transform(db, bobs), 'CROSS_TENANT', title);
          // Kysely itself qualifies no table in raw SQL
          const table = place.kind === 'RawNode' ? TableNode.createWithSchema('acme', 'book') : TableNode.create('book');
          const expected = transform(stock, nodeAt(place, table));
          const found = transform(db, nodeAt(place, TableNode.create('book')));
          expect(JSON.stringify(found), title).to.equal(JSON.stringify(withBareNames(expected)));
        }
      }
    });
    expect(without).to.deep.equal([
      'DeleteQueryNode.from',
      'DeleteQueryNode.with',
      'InsertQueryNode.with',
      'MergeQueryNode.with',
      'ReferencesNode.columns',
      'SelectQueryNode.from',
      'SelectQueryNode.with',
      'UpdateQueryNode.from',
      'UpdateQueryNode.with',
    ]);
  });
});

/** Kysely leaves a table of `for update of` without a schema, in a node that it fails of itself the next time. The name alone is written the same. */
function withBareNames(node: unknown): unknown {
  return JSON.parse(JSON.stringify(node), (_, part) =>
    part?.kind === 'TableNode' && part.table?.kind === 'IdentifierNode' ? part.table : part,
  );
}

function attempt(fn: () => unknown): unknown {
  try {
    return fn();
  } catch {
    return undefined;
  }
}
