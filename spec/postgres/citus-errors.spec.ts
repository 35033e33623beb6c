import { expect } from 'chai';
import { isNamed, isOfNode, nodeOfError, shardNamesIn } from '../../dist/postgres/citus-errors.js';
import { connectionWasLost, isUnreachable } from '../../dist/postgres/sql-state.js';

/** As `pg` gave them on Citus 13.2. */
const recorded = (fields: object): Error => Object.assign(new Error(), fields);

const REFUSED = recorded({
  message: 'connection to the remote node postgres@127.0.0.1:9702 failed with the following error: Connection refused',
  code: '08006',
  file: 'remote_commands.c',
  routine: 'ReportConnectionError',
});

const ENDED = recorded({
  message: 'terminating connection due to administrator command',
  code: '57P01',
  where: 'while executing command on 127.0.0.1:9701',
  file: 'remote_commands.c',
  routine: 'ReportResultError',
});

const IN_TRANSACTION = recorded({
  message: 'failure on connection marked as essential: 127.0.0.1:9702',
  code: 'XX000',
  file: 'remote_transaction.c',
  routine: 'MarkRemoteTransactionFailed',
});

const RESTARTED = recorded({
  message: 'terminating connection due to administrator command',
  code: '57P01',
  file: 'postgres.c',
  routine: 'ProcessInterrupts',
});

const IN_USE = recorded({
  message: 'update or delete on table "genre_102008" violates foreign key constraint "book_genre_id_foreign_102010" on table "book_102010"',
  detail: 'Key (id)=(1) is still referenced from table "book_102010".',
  code: '23503',
  where: 'while executing command on 127.0.0.1:9701',
  file: 'remote_commands.c',
  routine: 'ReportResultError',
});

describe('errors of the nodes of Citus', () => {
  it('X2 the end of a node’s connection is not that of the client’s, which is kept', () => {
    for (const error of [REFUSED, ENDED, IN_TRANSACTION, new Error('wrapped', { cause: ENDED })]) {
      expect(isOfNode(error), String(error)).to.equal(true);
      expect(connectionWasLost(error), String(error)).to.equal(false);
      expect(isUnreachable(error), String(error)).to.equal(false);
    }

    expect([REFUSED, ENDED, IN_TRANSACTION].map(nodeOfError)).to.deep.equal(['127.0.0.1:9702', '127.0.0.1:9701', '127.0.0.1:9702']);
  });

  it('X2 the end of the coordinator’s session is that of the client’s', () => {
    expect(isOfNode(RESTARTED)).to.equal(false);
    expect(connectionWasLost(RESTARTED)).to.equal(true);
    expect(isUnreachable(RESTARTED)).to.equal(true);
  });

  it('R4 an error of a shard tells its table and constraint by the names and the numbers in its message', () => {
    expect(shardNamesIn(IN_USE)).to.deep.equal([
      { name: 'genre', shard: '102008' },
      { name: 'book_genre_id_foreign', shard: '102010' },
      { name: 'book', shard: '102010' },
    ]);
    expect(isOfNode(IN_USE)).to.equal(false);
    // a name that would be too long is cut, and has a hash in it
    expect(isNamed({ name: 'a_name_that_is_long_0f1e2d3c', shard: '1' }, 'a_name_that_is_longer_than_that')).to.equal(true);
    expect(isNamed({ name: 'book', shard: '1' }, 'bookshelf')).to.equal(false);
  });

  it('R4 an error of PostgreSQL itself has no shards in it, whatever its names are', () => {
    expect(shardNamesIn(recorded({ message: 'table "book_102010"', code: '23503', file: 'ri_triggers.c' }))).to.deep.equal([]);
  });
});
