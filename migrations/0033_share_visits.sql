-- Browsers are forgotten link by link, the oldest first: a flood at one link makes no other forget who has opened it.
CREATE INDEX share_visits_share ON share_visits (share, begun);
