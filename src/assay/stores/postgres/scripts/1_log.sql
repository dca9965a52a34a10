-- The log: studies, events, blobs, and who drives a study.
-- Everything is written by functions, so that a role needs no right to change any table.

create table study (
    number integer generated always as identity primary key,
    name text not null,
    digest bytea not null unique -- a name may be longer than an index can hold
);

create table event (
    study integer not null,
    seq bigint not null,
    time text not null,
    actor text not null,
    version integer not null,
    body bytea not null, -- the very bytes that were hashed
    hash text not null,
    primary key (study, seq)
);

create table blob (
    hash text not null primary key,
    data bytea not null
);

create table lease (
    study integer not null primary key,
    token text not null,
    pid integer not null,
    birth text not null,
    place text not null,
    host text not null,
    since text not null,
    beat timestamptz not null -- by the clock of this server, the only one that is compared
);

create view log as -- for people
    select s.name as study, e.seq, e.time, e.actor, convert_from(e.body, 'UTF8') as event
    from event e join study s on s.number = e.study;

create function stays() returns trigger language plpgsql set search_path from current as $$
begin
    raise exception '%: rows are never changed and never deleted', tg_table_name
        using errcode = 'restrict_violation';
end $$;

create trigger event_stays before update or delete on event for each row execute function stays();
create trigger event_whole before truncate on event for each statement execute function stays();
create trigger blob_stays before update or delete on blob for each row execute function stays();
create trigger blob_whole before truncate on blob for each statement execute function stays();

create function study_enter(p_name text) returns integer
language plpgsql security definer set search_path from current as $$
declare
    hashed bytea := sha256(convert_to(p_name, 'UTF8'));
    found_number integer;
begin
    insert into study (name, digest) values (p_name, hashed) on conflict (digest) do nothing;
    select number into found_number from study where digest = hashed;
    return found_number;
end $$;

-- A driver that lost its seat is told so before it changes anything. No token: no driver.
create function lease_check(p_study integer, p_token text) returns void
language plpgsql security definer set search_path from current as $$
begin
    if p_token is not null
        and not exists (select from lease where study = p_study and token = p_token)
    then
        raise exception 'the lease is lost' using errcode = 'AS001';
    end if;
end $$;

-- Appends all or nothing; gives the length and the last hash that the log has then. They are those
-- of the new rows when these are in the log: now, or already, when an answer was lost on its way.
create function log_append(
    p_study integer, p_token text, p_after bigint, p_prev text,
    p_time text, p_actor text, p_version integer, p_bodies bytea[], p_hashes text[],
    p_names text[], p_data bytea[], out length bigint, out head text
) language plpgsql security definer set search_path from current as $$
declare
    n integer := cardinality(p_hashes);
begin
    perform from study where number = p_study for no key update; -- one writer at a time
    perform lease_check(p_study, p_token);
    select e.seq + 1, e.hash into length, head
        from event e where e.study = p_study order by e.seq desc limit 1;
    length := coalesce(length, 0);
    if length = p_after and (length = 0 or head = p_prev) then
        insert into event
            select p_study, p_after + o - 1, p_time, p_actor, p_version, b, h
            from unnest(p_bodies, p_hashes) with ordinality as x(b, h, o);
        if cardinality(p_names) > 0 then
            insert into blob select * from unnest(p_names, p_data) on conflict do nothing;
        end if;
        length := p_after + n;
        head := coalesce(p_hashes[n], head);
    elsif n > 0 and exists (
        select from event e
        where e.study = p_study and e.seq = p_after + n - 1 and e.hash = p_hashes[n]
    ) then
        length := p_after + n;
        head := p_hashes[n];
    end if;
end $$;

-- Takes the seat if it is free, one's own, of someone known to be dead, or of someone silent.
-- Otherwise gives the one who has it, and for how many seconds it has been silent.
create function lease_take(
    p_study integer, p_token text, p_pid integer, p_birth text, p_place text, p_host text,
    p_since text, p_dead text, p_silent_s double precision
) returns table (
    token text, pid integer, birth text, place text, host text, since text,
    silent_s double precision
) language plpgsql security definer set search_path from current as $$
begin
    perform from study where number = p_study for no key update;
    return query
        select h.* from lease_of(p_study) h
        where h.token <> p_token and h.token is distinct from p_dead and h.silent_s < p_silent_s;
    if found then
        return;
    end if;
    insert into lease values
        (p_study, p_token, p_pid, p_birth, p_place, p_host, p_since, clock_timestamp())
    on conflict (study) do update set
        token = excluded.token, pid = excluded.pid, birth = excluded.birth,
        place = excluded.place, host = excluded.host, since = excluded.since,
        beat = excluded.beat;
end $$;

-- While the server was down nobody could beat: silence counts from its start at the earliest.
create function lease_of(p_study integer) returns table (
    token text, pid integer, birth text, place text, host text, since text,
    silent_s double precision
) language sql security definer set search_path from current as $$
    select l.token, l.pid, l.birth, l.place, l.host, l.since,
        extract(epoch from
            clock_timestamp() - greatest(l.beat, pg_postmaster_start_time()))::double precision
    from lease l where l.study = p_study
$$;

create function lease_beat(p_study integer, p_token text) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform lease_check(p_study, p_token);
    update lease set beat = clock_timestamp() where study = p_study and token = p_token;
end $$;

create function lease_end(p_study integer, p_token text) returns void
language sql security definer set search_path from current as $$
    delete from lease where study = p_study and token = p_token
$$;
