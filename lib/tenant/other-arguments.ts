/**
 * The arguments of a method after the first `Named` ones. An override of what is called for every entity
 * names its arguments and passes on these: one array for all of them would be made anew in each call.
 */
export type Others<
  Given extends readonly unknown[],
  Named extends number,
  Seen extends readonly unknown[] = [],
> = Seen['length'] extends Named ? Given : Given extends readonly [unknown?, ...infer Rest] ? Others<Rest, Named, [...Seen, unknown]> : [];
