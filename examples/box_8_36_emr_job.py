"""Box 8.36: launch a MapReduce job on Amazon EMR, wait for it, and print what it counted.

    pip install boto3
    aws emr create-default-roles                           # once
    aws s3 cp log.txt s3://mybucket/data/
    python3 box_8_36_emr_job.py mybucket

It makes a cluster, which costs while it runs, and ends with the job; Ctrl-C ends it as well. Keys
and region come from the environment or ~/.aws; AWS_ENDPOINT_URL leads to a stand-in.

The book's program used boto 2 and had its keys in the text. Its loop waited while the state was not
COMPLETED *or* not FAILED, which is always, so it never ended; and FAILED is a state of steps only.
There the programs were in S3 already; here they are brought there. A job's output must be new, so
each run has a folder of its own.
"""

import sys
import time
from pathlib import Path

import boto3

if len(sys.argv) < 2:
    sys.exit("usage: python3 box_8_36_emr_job.py BUCKET [OUTPUT/]")
bucket = sys.argv[1]
output = sys.argv[2] if len(sys.argv) > 2 else time.strftime("seqcountoutput/%Y-%m-%dT%H-%M-%S/")
folder = Path(__file__).parent

print("Connecting to EMR")
emr = boto3.client("emr")
s3 = boto3.client("s3")

print("Uploading mapper and reducer")
for name in ("box_8_37_mapper.py", "box_8_38_reducer.py"):
    s3.upload_file(str(folder / name), bucket, f"programs/{name}")

print("Creating streaming step")
files = f"s3://{bucket}/programs/box_8_37_mapper.py,s3://{bucket}/programs/box_8_38_reducer.py"
step = {
    "Name": "Sequence Count",
    "ActionOnFailure": "TERMINATE_CLUSTER",
    "HadoopJarStep": {
        "Jar": "command-runner.jar",
        "Args": [
            "hadoop-streaming",
            *("-D", "mapreduce.job.reduces=1"),  # such options, and -files, come first
            *("-files", files),
            *("-mapper", "python3 box_8_37_mapper.py"),
            *("-combiner", "python3 box_8_38_reducer.py"),
            *("-reducer", "python3 box_8_38_reducer.py"),
            *("-input", f"s3://{bucket}/data/"),
            *("-output", f"s3://{bucket}/{output}"),
        ],
    },
}

print("Creating job flow")
job_id = emr.run_job_flow(
    Name="Sequence Count Jobflow",
    LogUri=f"s3://{bucket}/sequence_count_logs/",
    ReleaseLabel="emr-7.14.0",
    Applications=[{"Name": "Hadoop"}],
    Instances={
        "MasterInstanceType": "m5.xlarge",
        "SlaveInstanceType": "m5.xlarge",
        "InstanceCount": 3,
        "KeepJobFlowAliveWhenNoSteps": False,
    },
    Steps=[step],
    JobFlowRole="EMR_EC2_DefaultRole",
    ServiceRole="EMR_DefaultRole",
    AutoTerminationPolicy={"IdleTimeout": 3600},
)["JobFlowId"]
print(f"Submitted job flow {job_id}")

print("Waiting for job flow to complete")
step_id = emr.list_steps(ClusterId=job_id)["Steps"][0]["Id"]
pause = 1 if "127.0.0.1" in emr.meta.endpoint_url else 30
shown = None
try:
    while True:
        cluster = emr.describe_cluster(ClusterId=job_id)["Cluster"]["Status"]
        status = emr.describe_step(ClusterId=job_id, StepId=step_id)["Step"]["Status"]
        if (cluster["State"], status["State"]) != shown:
            shown = cluster["State"], status["State"]
            print(f"cluster {shown[0]}, step {shown[1]}")
        if status["State"] in ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"):
            break
        if cluster["State"] in ("TERMINATED", "TERMINATED_WITH_ERRORS"):
            break  # before the step was done
        time.sleep(pause)
except KeyboardInterrupt:
    emr.terminate_job_flows(JobFlowIds=[job_id])
    sys.exit("Ending the cluster")

print(f"Job status: {status['State']}")
if status["State"] != "COMPLETED":
    details = status.get("FailureDetails", {})
    print(details.get("Reason", ""), details.get("Message", ""), details.get("LogFile", ""))
    print(cluster.get("StateChangeReason", {}).get("Message", ""))
    sys.exit(1)

found = [
    item["Key"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=output)
    for item in page.get("Contents", [])
]
if f"{output}_SUCCESS" not in found:
    sys.exit("The output is not whole: there is no _SUCCESS")
for key in found:
    if "/part-" in key:
        print(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode(), end="")
print("Done!")
