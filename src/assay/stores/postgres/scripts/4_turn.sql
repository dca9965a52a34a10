-- The turn to make a proposal of a study: a lock of the session, which the server takes from the dead,
-- and for which it lets sessions wait in the order in which they came.

-- Waits for the turn, at most so long. Without it: the session that has it.
create function turn_take(p_study integer, p_wait_ms integer, out got boolean, out holder integer)
language plpgsql set search_path from current as $$
begin
    perform set_config('lock_timeout', p_wait_ms::text, true);
    perform pg_advisory_lock('study'::regclass::oid::integer, p_study);
    got := true;
exception when lock_not_available then
    got := false;
    select l.pid into holder from pg_locks l
        where l.locktype = 'advisory' and l.granted and l.objsubid = 2
        and l.database = (select oid from pg_database where datname = current_database())
        and l.classid = 'study'::regclass::oid and l.objid = p_study::oid;
end $$;

create function turn_end(p_study integer) returns void
language plpgsql set search_path from current as $$
begin
    if exists (
        select from pg_locks l
        where l.locktype = 'advisory' and l.granted and l.pid = pg_backend_pid()
        and l.objsubid = 2 and l.classid = 'study'::regclass::oid and l.objid = p_study::oid
    ) then
        perform pg_advisory_unlock('study'::regclass::oid::integer, p_study);
    end if; -- a connection that broke has lost it
end $$;
