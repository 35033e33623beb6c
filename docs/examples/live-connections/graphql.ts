import { tenantKey, whileServed, type TenantEntityManager } from '@landlord/mikro-orm';
import { tenantContext } from '@landlord/mikro-orm/node';
import { wrap } from '@mikro-orm/core';
import { createPubSub, createSchema, createYoga, type PubSub } from 'graphql-yoga';
import { createServer, type Server } from 'node:http';
import { Book } from '../bookshop/entities.js';

type Events = PubSub<Record<string, [{ readonly id: number }]>>;

// #region schema
const typeDefs = /* GraphQL */ `
  type Genre {
    name: String!
  }
  type Book {
    id: Int!
    title: String!
    genre: Genre
  }
  type Query {
    books: [Book!]!
  }
  type Mutation {
    addBook(title: String!): Book!
  }
  type Subscription {
    bookAdded: Book!
  }
`;

function resolversFor(em: TenantEntityManager, events: Events) {
  return {
    Query: {
      books: () => em.find(Book, {}, { orderBy: { id: 1 } }),
    },
    Book: {
      // one query for the genres of all books, by MikroORM's dataloader
      genre: (book: Book) => book.genre && wrap(book.genre).toReference().load({ dataloader: true }),
    },
    Mutation: {
      addBook: async (_: unknown, { title }: { title: string }) => {
        const book = em.create(Book, { title });
        await em.flush();
        events.publish(tenantKey('bookAdded'), { id: book.id });

        return book;
      },
    },
    Subscription: {
      bookAdded: {
        // the channel is the tenant's own, and the subscription ends with the tenant
        subscribe: () => whileServed(events.subscribe(tenantKey('bookAdded'))),
        // a subscription lives long, and an EntityManager should not
        resolve: ({ id }: { id: number }) => em.fork().findOneOrFail(Book, id),
      },
    },
  };
}
// #endregion schema

// #region server
export function createGraphqlServer(em: TenantEntityManager, events: Events = createPubSub()): Server {
  const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers: resolversFor(em, events) }), logging: false });

  return createServer(tenantContext((req, res) => yoga(req, res)));
}
// #endregion server
