"""Records of Kinesis streams and of DynamoDB streams, as Lambda delivers them."""
