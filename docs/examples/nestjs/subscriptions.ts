// subscriptions.ts
import { identify, runAs, whileServed, type Identification } from '@landlord/mikro-orm';
import { execute, subscribe, type ExecutionArgs } from 'graphql';
import type { IncomingMessage } from 'node:http';

// #region operations
/** For `GraphQLModule.forRoot({ subscriptions: { 'graphql-ws': operationsOfTenants }, … })`. */
export const operationsOfTenants = {
  onConnect: async ({ extra }: { readonly extra: unknown }) => (await whoOpened(extra)).kind === 'tenant',

  // queries and mutations that come over the socket
  execute: async (args: ExecutionArgs) => runAs(await whoAsks(args), async () => execute(args)),

  subscribe: async (args: ExecutionArgs) => {
    const tenant = await whoAsks(args);

    return runAs(tenant, async () => {
      const events = await subscribe(args);

      return Symbol.asyncIterator in events ? whileServed(eachAnew(tenant, events)) : events;
    });
  },
};

/** Gives the resolvers of each event an EntityManager of their own, as those of each request have. */
function eachAnew<Event>(tenant: Identification, events: AsyncGenerator<Event, void, void>): AsyncIterable<Event> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => runAs(tenant, () => events.next()),
      return: () => events.return(),
    }),
  };
}

// Nest gives the resolvers what graphql-ws knows of the socket as `req`
const whoAsks = ({ contextValue }: ExecutionArgs) => whoOpened((contextValue as { readonly req: { readonly extra: unknown } }).req.extra);

// the options are those of TenantsModule.forRoot()
const whoOpened = async (extra: unknown) => identify((extra as { readonly request: IncomingMessage }).request);
// #endregion operations
