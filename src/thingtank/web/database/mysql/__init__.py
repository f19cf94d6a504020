"""Django's MySQL and MariaDB by PyMySQL, comparing text exactly."""
