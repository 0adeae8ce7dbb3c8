CREATE INDEX account_dormancy ON account (warnings, active_day);
