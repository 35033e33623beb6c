/** What a method of MikroORM's was, on the one in its place. */
export const GUARDED = Symbol.for('@landlord/mikro-orm: guarded');
