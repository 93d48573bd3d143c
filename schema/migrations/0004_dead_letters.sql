-- Messages that died, kept for ever: what was asked for, why it failed, and what became of it.
create table otc.dead_letter (
    letter_id bigint generated always as identity primary key,
    redis_message_id text not null unique, -- a death is recorded once, however often it is told
    queue text not null,
    actor text, -- null where the message cannot be read
    stage text, -- this and the next seven are null where the message is no run of a stage
    key text,
    generation bigint,
    week_ending date,
    tier text collate "C",
    request text,
    is_last boolean,
    code_version int,
    message bytea not null, -- as it was enqueued
    error_class text not null,
    reason text not null,
    traceback text,
    attempts int not null,
    first_at timestamptz, -- sent, by the sender's clock
    last_at timestamptz not null, -- died, by the worker's clock
    replayed_at timestamptz,
    resolved_at timestamptz -- the run came through after all, replayed or asked for anew
);
create index dead_letter_run on otc.dead_letter (stage, key, generation) where resolved_at is null;

create view otc.letter as
select
    d.*,
    case
        when d.resolved_at is not null then 'resolved'
        when d.replayed_at is not null then 'replayed'
        else 'open'
    end as state
from otc.dead_letter as d;
