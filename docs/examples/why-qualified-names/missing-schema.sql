set search_path to bpb, public; -- a typo: there is no such schema, and no error
select title from book; -- Shared: public.book is read in its place
