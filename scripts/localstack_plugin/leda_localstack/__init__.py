"""A LocalStack plugin: what LocalStack 4.9 needs to run the pipeline on a machine without Docker.

process executor    a Lambda execution environment is a process of AWS's own runtime client, awslambdaric
emulators           DynamoDB Local and kinesis-local run from folders that the set-up filled
loopback            the gateway listens on 127.0.0.1 only
polling             a mapping polls its shards as often as on AWS
bisect              BisectBatchOnFunctionError, which LocalStack accepts and ignores
windows             TumblingWindowInSeconds, which LocalStack accepts and ignores
images              empty maps in a stream's images have their type
"""
