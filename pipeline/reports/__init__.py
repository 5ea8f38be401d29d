"""Reports on finished stages: tables and figures from numbers, nothing measured."""
