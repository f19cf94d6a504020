"""What is made and looked at in an AWS account: machines, buckets, tables, queues, jobs."""
