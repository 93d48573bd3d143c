-- The newest update date among a capture's rows, by which a clock that was set back is found.
alter table otc.capture add column newest_update date; -- null where the capture was in before this was noted
