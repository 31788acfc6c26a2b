-- Run once by PostgreSQL's image, when its volume is empty: a database and its owner for each of the two clients.
\getenv dagster_password DAGSTER_DB_PASSWORD
\getenv lakefs_password LAKEFS_DB_PASSWORD
CREATE ROLE dagster LOGIN PASSWORD :'dagster_password';
CREATE ROLE lakefs LOGIN PASSWORD :'lakefs_password';
CREATE DATABASE dagster OWNER dagster;
CREATE DATABASE lakefs OWNER lakefs;
REVOKE CONNECT ON DATABASE dagster, lakefs FROM PUBLIC;
