import type { EntityMetadata, MetadataStorage } from '@mikro-orm/core';
import { expect } from 'chai';
import { onceForEntities } from '../../dist/tenant/once-for-entities.js';

describe('what is computed once for the entities of an ORM', () => {
  const metaOf = (className: string): EntityMetadata => ({ className }) as EntityMetadata;
  const storageOf = (...names: string[]): { readonly all: Map<string, EntityMetadata>; readonly storage: MetadataStorage } => {
    const all = new Map(names.map(name => [name, metaOf(name)]));

    return { all, storage: { getAll: () => all } as unknown as MetadataStorage };
  };

  it('S10 is computed again when an entity is added, replaced or removed, and for each ORM', () => {
    const seen: string[] = [];
    const namesOf = onceForEntities(metas => {
      const names = metas.map(({ className }) => className).join();
      seen.push(names);

      return names;
    });
    const { all, storage } = storageOf('Author', 'Book');
    expect([namesOf(storage), namesOf(storage)]).to.deep.equal(['Author,Book', 'Author,Book']);
    expect(seen).to.deep.equal(['Author,Book']);

    all.set('Tag', metaOf('Tag'));
    expect(namesOf(storage)).to.equal('Author,Book,Tag');
    all.set('Book', metaOf('Replaced'));
    expect(namesOf(storage)).to.equal('Author,Replaced,Tag');
    all.delete('Tag');
    expect(namesOf(storage)).to.equal('Author,Replaced');
    expect(namesOf(storageOf('Loan').storage)).to.equal('Loan');
    expect(namesOf(storage)).to.equal('Author,Replaced');
    expect(seen).to.have.length(5);
  });
});
