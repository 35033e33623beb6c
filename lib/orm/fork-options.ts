// How EntityManagers are forked here, always with the same properties in the same order. MikroORM's `fork()` reads its options for each request,
// which V8 does fast only where it has met few kinds of objects.

/** The EntityManager of a scope. */
export const OF_SCOPE = { useContext: true, keepTransactionContext: true, disableContextResolution: false } as const;

/** The same where no context has another one to be forked. */
export const OF_GLOBAL = { useContext: true, keepTransactionContext: true, disableContextResolution: true } as const;

/** What `fork()` without options is, where no context has another one to be forked. */
export const OF_ITSELF = { useContext: false, keepTransactionContext: false, disableContextResolution: true } as const;
