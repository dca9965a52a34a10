-- The line at the log's end. Whoever was overtaken before it could append waits for this lock of the
-- session, is given what came meanwhile, and appends next: many writers do not overtake each other
-- again and again.

-- A first row says whether the place is ours; the others are the events from number p_after on.
create function log_line(p_study integer, p_after bigint, p_most integer, p_wait_ms integer)
returns table (got boolean, seq bigint, body bytea)
language plpgsql security definer set search_path from current as $$
declare
    usual text := current_setting('lock_timeout');
begin
    got := true;
    begin
        perform set_config('lock_timeout', p_wait_ms::text, true);
        perform pg_advisory_lock('event'::regclass::oid::integer, p_study);
    exception when lock_not_available then
        got := false;
    end;
    perform set_config('lock_timeout', usual, true);
    perform from study where number = p_study for no key update; -- one who appends just now is awaited
    return next;
    return query select null::boolean, e.seq, e.body from event e
        where e.study = p_study and e.seq >= p_after order by e.seq limit p_most;
end $$;

create function log_line_end(p_study integer) returns void
language plpgsql security definer set search_path from current as $$
begin
    if exists (
        select from pg_locks l
        where l.locktype = 'advisory' and l.granted and l.pid = pg_backend_pid()
        and l.objsubid = 2 and l.classid = 'event'::regclass::oid and l.objid = p_study::oid
    ) then
        perform pg_advisory_unlock('event'::regclass::oid::integer, p_study);
    end if; -- a connection that broke has lost it
end $$;

-- As log_append, and the next in line comes to its turn.
create function log_append_in_line(
    p_study integer, p_token text, p_after bigint, p_prev text,
    p_time text, p_actor text, p_version integer, p_bodies bytea[], p_hashes text[],
    p_names text[], p_data bytea[], out length bigint, out head text
) language plpgsql security definer set search_path from current as $$
begin
    select a.length, a.head into length, head from log_append(
        p_study, p_token, p_after, p_prev, p_time, p_actor, p_version, p_bodies, p_hashes,
        p_names, p_data
    ) a;
    perform log_line_end(p_study);
end $$;
