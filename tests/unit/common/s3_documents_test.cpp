#include "s3/encode.hpp"
#include "s3/errors.hpp"
#include "s3/xml.hpp"

#include <gmock/gmock.h>

namespace fermata::s3 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(S3Encode, EncodesEveryByteButTheUnreserved) {
  EXPECT_EQ(uri_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(uri_encode("a b+c/d%\xc3\xa9*"), "a%20b%2Bc%2Fd%25%C3%A9%2A");
  EXPECT_EQ(uri_encode_path("a//b/../c d"), "a//b/../c%20d");
}

TEST(S3Encode, DecodesListings) {
  EXPECT_EQ(url_decode("a+b%2Bc%20d%C3%A9"), "a b+c d\xc3\xa9");
  EXPECT_EQ(url_decode("100%"), std::nullopt);
  EXPECT_EQ(url_decode("%zz"), std::nullopt);
}

TEST(S3Encode, SortsQueriesAsTheyAreSigned) {
  EXPECT_EQ(query_string({{"b", "2"}, {"a", ""}, {"B", "x y"}}), "B=x%20y&a=&b=2");
  EXPECT_EQ(query_string({}), "");
}

TEST(S3Encode, ReadsAndWritesTimes) {
  EXPECT_EQ(amz_date(1'369'353'600), "20130524T000000Z");
  EXPECT_EQ(parse_http_date_s("Fri, 24 May 2013 00:00:00 GMT"), 1'369'353'600);
  EXPECT_EQ(parse_http_date_s("yesterday"), std::nullopt);
  EXPECT_EQ(parse_iso_ms("2013-05-24T00:00:00.250Z"), 1'369'353'600'250);
  EXPECT_EQ(parse_iso_ms("2013-05-24T00:00:00Z"), 1'369'353'600'000);
  EXPECT_EQ(parse_iso_ms("yesterday"), 0);
}

TEST(S3Encode, ReadsHexAndWritesBase64) {
  EXPECT_EQ(to_base64(from_hex("d41d8cd98f00b204e9800998ecf8427e").value()), "1B2M2Y8AsgTpgAmY7PhCfg==");
  EXPECT_EQ(from_hex("abc"), std::nullopt);
  EXPECT_EQ(from_hex("zz"), std::nullopt);
}

TEST(S3Errors, TellWhatToDo) {
  struct Case {
    int status;
    std::string_view code;
    Code expected;
  };
  for (const Case& one : {Case{404, "NoSuchKey", Code::kNotFound},
                          Case{404, "NoSuchBucket", Code::kFailedPrecondition},
                          Case{404, "", Code::kNotFound},
                          Case{405, "MethodNotAllowed", Code::kFailedPrecondition},
                          Case{301, "", Code::kFailedPrecondition},
                          Case{501, "NotImplemented", Code::kFailedPrecondition},
                          Case{400, "InvalidArgument", Code::kInvalidArgument},
                          Case{400, "EntityTooLarge", Code::kInvalidArgument},
                          Case{400, "BadDigest", Code::kAborted},
                          Case{400, "IncompleteBody", Code::kAborted},
                          Case{409, "OperationAborted", Code::kAborted},
                          Case{503, "SlowDown", Code::kResourceExhausted},
                          Case{503, "", Code::kResourceExhausted},
                          Case{429, "", Code::kResourceExhausted},
                          Case{500, "InternalError", Code::kUnavailable},
                          Case{502, "", Code::kUnavailable},
                          Case{504, "", Code::kUnavailable},
                          Case{403, "InvalidAccessKeyId", Code::kUnauthenticated},
                          Case{403, "SignatureDoesNotMatch", Code::kUnauthenticated},
                          Case{400, "ExpiredToken", Code::kUnauthenticated},
                          Case{403, "AccessDenied", Code::kPermissionDenied},
                          Case{403, "", Code::kPermissionDenied}}) {
    EXPECT_EQ(classify(one.status, one.code, true), one.expected) << one.status << " " << one.code;
  }
  EXPECT_EQ(classify(404, "", false), Code::kFailedPrecondition);
}

TEST(S3Errors, DescribeWhatTheServerSaidOnOneBoundedLine) {
  EXPECT_EQ(describe(403, {"AccessDenied", "Access Denied", "42", "/b/k"}),
            "AccessDenied (403): Access Denied (request id 42, resource /b/k)");
  EXPECT_EQ(describe(502, {}), "HTTP 502");
  const std::string long_text = describe(400, {"Odd", "a\nb" + std::string(5000, 'x'), "", ""});
  EXPECT_THAT(long_text, HasSubstr("a bx"));
  EXPECT_LT(long_text.size(), 400u);
}

TEST(S3Documents, ReadErrorsWithAndWithoutNamespaces) {
  for (const std::string_view text :
       {"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>a &amp; b</Message><RequestId>1</RequestId></Error>",
        "  <Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Code>NoSuchKey</Code><Message>a &amp; "
        "b</Message><RequestId>1</RequestId></Error>",
        "<s:Error xmlns:s=\"x\"><s:Code>NoSuchKey</s:Code><s:Message>a &amp; b</s:Message><s:RequestId>1</s:RequestId></s:Error>"}) {
    const auto error = parse_error(text);
    ASSERT_TRUE(error) << text;
    EXPECT_EQ(error->code, "NoSuchKey");
    EXPECT_EQ(error->message, "a & b");
    EXPECT_EQ(error->request_id, "1");
  }
  EXPECT_FALSE(parse_error("<html><body>Bad Gateway</body></html>"));
  EXPECT_FALSE(parse_error("not XML <"));
  EXPECT_FALSE(parse_error(""));
}

TEST(S3Documents, ReadVersionsInTheServersOrder) {
  const auto page = parse_versions(R"(<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
    <NextKeyMarker>b%2Fc</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>
    <DeleteMarker><Key>a+b</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest><LastModified>2013-05-24T00:00:00.000Z</LastModified></DeleteMarker>
    <Version><Key>a+b</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest><ETag>&quot;e&quot;</ETag><Size>5000000000</Size></Version>
    </ListVersionsResult>)");
  ASSERT_TRUE(page) << page.status().text();
  EXPECT_TRUE(page->truncated);
  EXPECT_EQ(page->next_key_marker, "b/c");
  EXPECT_EQ(page->next_version_id_marker, "v1");
  ASSERT_EQ(page->versions.size(), 2u);
  EXPECT_EQ(page->versions[0].key, "a b");
  EXPECT_TRUE(page->versions[0].is_delete_marker);
  EXPECT_TRUE(page->versions[0].is_latest);
  EXPECT_EQ(page->versions[0].last_modified_ms, 1'369'353'600'000);
  EXPECT_EQ(page->versions[1].etag, "e");
  EXPECT_EQ(page->versions[1].size, 5'000'000'000u);
  EXPECT_FALSE(page->versions[1].is_latest);
}

TEST(S3Documents, PutMarkersAmongTheVersionsOfTheirKey) {
  const auto entry = [](const std::string& kind, const std::string& key, const std::string& id, int second, bool latest = false) {
    return "<" + kind + "><Key>" + key + "</Key><VersionId>" + id + "</VersionId><IsLatest>" + (latest ? "true" : "false") +
           "</IsLatest><LastModified>2026-05-24T00:00:0" + std::to_string(second) + ".000Z</LastModified></" + kind + ">";
  };
  const auto ids = [](const std::string& entries) {
    std::string text;
    const auto page = parse_versions("<ListVersionsResult>" + entries + "</ListVersionsResult>");
    for (const auto& version : page->versions) text += version.version_id + " ";
    return text;
  };
  EXPECT_EQ(ids(entry("DeleteMarker", "a", "a2", 2) + entry("DeleteMarker", "ab", "ab2", 2, true) + entry("Version", "a", "a3", 3, true) +
                entry("Version", "a", "a1", 1) + entry("Version", "ab", "ab1", 1)),
            "a3 a2 a1 ab2 ab1 ");
  EXPECT_EQ(ids(entry("DeleteMarker", "a", "a2", 1, true) + entry("Version", "a", "a1", 1)), "a2 a1 ");
  // Of one second, as some clocks are: as it is told.
  EXPECT_EQ(ids(entry("Version", "a", "a3", 1, true) + entry("Version", "a", "a2", 1) + entry("DeleteMarker", "a", "a1", 1)), "a3 a2 a1 ");
  // VersityGW: versions in whole seconds, so its names tell.
  EXPECT_EQ(ids(entry("DeleteMarker", "a", "01M8KKFSCA3DYNEQ3AHGQTACX2", 3) + entry("Version", "a", "01M8KKFSD3MRT3KRTQSM3HN2T4", 4, true) +
                entry("Version", "a", "01M8KKFSCA3DYNEQ3AHGQTACX9", 2) + entry("Version", "a", "01M8KKFSCA3DYNEQ3AHGQTACWD", 2)),
            "01M8KKFSD3MRT3KRTQSM3HN2T4 01M8KKFSCA3DYNEQ3AHGQTACX9 01M8KKFSCA3DYNEQ3AHGQTACX2 01M8KKFSCA3DYNEQ3AHGQTACWD ");
  EXPECT_EQ(ids(""), "");
}

TEST(S3Documents, LeaveKeysAloneThatTheServerDidNotEncode) {
  const auto page = parse_versions("<ListVersionsResult><Version><Key>a+b%20c</Key></Version></ListVersionsResult>");
  ASSERT_TRUE(page) << page.status().text();
  EXPECT_EQ(page->versions.at(0).key, "a+b%20c");
}

TEST(S3Documents, ReadTheOthers) {
  EXPECT_THAT(parse_buckets("<ListAllMyBucketsResult><Buckets><Bucket><Name>a</Name></Bucket><Bucket><Name>b</Name></Bucket></Buckets>"
                            "</ListAllMyBucketsResult>")
                  .value(),
              ElementsAre("a", "b"));
  EXPECT_EQ(parse_versioning("<VersioningConfiguration/>").value(), Client::Versioning::kOff);
  EXPECT_EQ(parse_versioning("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>").value(),
            Client::Versioning::kEnabled);
  EXPECT_EQ(parse_versioning("<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>").value(),
            Client::Versioning::kSuspended);
  EXPECT_EQ(parse_created_upload("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>").value(), "u");
  EXPECT_EQ(parse_completed_upload("<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>").value(), "e-2");
  const auto uploads = parse_uploads(
      "<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>a%2Bb</Key><UploadId>u</UploadId>"
      "<Initiated>2013-05-24T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads) << uploads.status().text();
  EXPECT_EQ(uploads->at(0).key, "a+b");
  EXPECT_EQ(uploads->at(0).initiated_ms, 1'369'353'600'000);
}

TEST(S3Documents, RefuseWhatWasNotAskedFor) {
  for (const std::string_view text : {"", "<html/>", "<Error><Code>X</Code></Error>", "no XML"}) {
    EXPECT_EQ(parse_versions(text).status().code(), Code::kUnavailable) << text;
    EXPECT_EQ(parse_tags(text).status().code(), Code::kUnavailable) << text;
    EXPECT_EQ(parse_created_upload(text).status().code(), Code::kUnavailable) << text;
    EXPECT_EQ(parse_completed_upload(text).status().code(), Code::kUnavailable) << text;
  }
}

TEST(S3Documents, WriteTagsThatReadBackTheSame) {
  const Tags tags{{"a<b", "\"c\" & d"}, {"blank", " "}, {"empty", ""}, {"k\xc3\xa9", "v"}};
  EXPECT_EQ(parse_tags(write_tags(tags)).value(), tags);
}

TEST(S3Documents, WritePartsInTheirOrder) {
  const std::vector<CompletedPart> parts{{1, "e1"}, {2, "e2"}};
  EXPECT_EQ(write_parts(parts),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>\"e2\"</ETag></Part>"
            "</CompleteMultipartUpload>");
}

}  // namespace
}  // namespace fermata::s3
