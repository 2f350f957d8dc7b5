<?xml version="1.0" encoding="UTF-8"?>
<!-- The header of a CDA document as facts with Vietnamese labels, and how HL7 data types are written. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:v="urn:hl7-org:v3"
    exclude-result-prefixes="v">

  <xsl:template name="patients">
    <xsl:for-each select="$document/v:recordTarget/v:patientRole">
      <dl class="facts">
        <xsl:call-template name="fact">
          <xsl:with-param name="label">Người bệnh</xsl:with-param>
          <xsl:with-param name="value"><strong><xsl:apply-templates select="v:patient/v:name[1]" mode="value"/></strong></xsl:with-param>
        </xsl:call-template>
        <xsl:if test="v:patient/v:name[2]">
          <xsl:call-template name="fact">
            <xsl:with-param name="label">Tên khác</xsl:with-param>
            <xsl:with-param name="value"><xsl:apply-templates select="v:patient/v:name[position() &gt; 1]" mode="value"/></xsl:with-param>
          </xsl:call-template>
        </xsl:if>
        <xsl:call-template name="fact">
          <xsl:with-param name="label">Ngày sinh</xsl:with-param>
          <xsl:with-param name="value"><xsl:apply-templates select="v:patient/v:birthTime" mode="value"/></xsl:with-param>
        </xsl:call-template>
        <xsl:call-template name="fact">
          <xsl:with-param name="label">Giới tính</xsl:with-param>
          <xsl:with-param name="value">
            <xsl:variable name="sex" select="v:patient/v:administrativeGenderCode"/>
            <xsl:choose>
              <xsl:when test="$sex/@code = 'M'">Nam</xsl:when>
              <xsl:when test="$sex/@code = 'F'">Nữ</xsl:when>
              <xsl:when test="$sex/@code = 'UN'">Không xác định</xsl:when>
              <xsl:otherwise><xsl:apply-templates select="$sex" mode="value"/></xsl:otherwise>
            </xsl:choose>
          </xsl:with-param>
        </xsl:call-template>
        <xsl:call-template name="fact">
          <xsl:with-param name="label">Mã người bệnh</xsl:with-param>
          <xsl:with-param name="value"><xsl:apply-templates select="v:id" mode="value"/></xsl:with-param>
        </xsl:call-template>
        <xsl:call-template name="fact">
          <xsl:with-param name="label">Địa chỉ</xsl:with-param>
          <xsl:with-param name="value"><xsl:apply-templates select="v:addr" mode="value"/></xsl:with-param>
        </xsl:call-template>
        <xsl:call-template name="fact">
          <xsl:with-param name="label">Liên hệ</xsl:with-param>
          <xsl:with-param name="value"><xsl:apply-templates select="v:telecom" mode="value"/></xsl:with-param>
        </xsl:call-template>
        <xsl:call-template name="fact">
          <xsl:with-param name="label">Dân tộc</xsl:with-param>
          <xsl:with-param name="value"><xsl:apply-templates select="v:patient/v:ethnicGroupCode" mode="value"/></xsl:with-param>
        </xsl:call-template>
        <xsl:for-each select="v:patient/v:guardian">
          <xsl:call-template name="fact">
            <xsl:with-param name="label">Người giám hộ</xsl:with-param>
            <xsl:with-param name="value"><xsl:apply-templates select="." mode="party"/></xsl:with-param>
          </xsl:call-template>
        </xsl:for-each>
      </dl>
    </xsl:for-each>
  </xsl:template>

  <xsl:template name="document-facts">
    <h2>Thông tin tài liệu</h2>
    <dl class="facts">
      <xsl:call-template name="fact">
        <xsl:with-param name="label">Ngày lập</xsl:with-param>
        <xsl:with-param name="value"><xsl:apply-templates select="$document/v:effectiveTime" mode="value"/></xsl:with-param>
      </xsl:call-template>
      <xsl:call-template name="fact">
        <xsl:with-param name="label">Mã tài liệu</xsl:with-param>
        <xsl:with-param name="value"><xsl:apply-templates select="$document/v:id" mode="value"/></xsl:with-param>
      </xsl:call-template>
      <xsl:call-template name="fact">
        <xsl:with-param name="label">Phiên bản</xsl:with-param>
        <xsl:with-param name="value"><xsl:value-of select="$document/v:versionNumber/@value"/></xsl:with-param>
      </xsl:call-template>
      <xsl:call-template name="fact">
        <xsl:with-param name="label">Mức bảo mật</xsl:with-param>
        <xsl:with-param name="value">
          <xsl:variable name="level" select="$document/v:confidentialityCode"/>
          <xsl:choose>
            <xsl:when test="$level/@code = 'N'">Bình thường</xsl:when>
            <xsl:when test="$level/@code = 'R'">Hạn chế</xsl:when>
            <xsl:when test="$level/@code = 'V'">Rất hạn chế</xsl:when>
            <xsl:otherwise><xsl:apply-templates select="$level" mode="value"/></xsl:otherwise>
          </xsl:choose>
        </xsl:with-param>
      </xsl:call-template>
      <xsl:for-each select="$document/*">
        <xsl:variable name="label">
          <xsl:choose>
            <xsl:when test="self::v:author">Người lập</xsl:when>
            <xsl:when test="self::v:dataEnterer">Người nhập</xsl:when>
            <xsl:when test="self::v:informant">Nguồn tin</xsl:when>
            <xsl:when test="self::v:custodian">Nơi lưu giữ</xsl:when>
            <xsl:when test="self::v:informationRecipient">Nơi nhận</xsl:when>
            <xsl:when test="self::v:legalAuthenticator">Người chịu trách nhiệm pháp lý</xsl:when>
            <xsl:when test="self::v:authenticator">Người xác nhận</xsl:when>
            <xsl:when test="self::v:participant">Người liên quan</xsl:when>
            <xsl:when test="self::v:inFulfillmentOf">Theo chỉ định</xsl:when>
            <xsl:when test="self::v:documentationOf">Dịch vụ</xsl:when>
            <xsl:when test="self::v:relatedDocument[@typeCode = 'RPLC']">Thay thế tài liệu</xsl:when>
            <xsl:when test="self::v:relatedDocument[@typeCode = 'APND']">Bổ sung cho tài liệu</xsl:when>
            <xsl:when test="self::v:relatedDocument">Lập từ tài liệu</xsl:when>
            <xsl:when test="self::v:authorization">Sự đồng ý</xsl:when>
            <xsl:when test="self::v:componentOf">Lần khám, điều trị</xsl:when>
          </xsl:choose>
        </xsl:variable>
        <xsl:if test="string($label)">
          <xsl:call-template name="fact">
            <xsl:with-param name="label" select="$label"/>
            <xsl:with-param name="value">
              <xsl:apply-templates select="*" mode="party"/>
              <xsl:apply-templates select="v:time" mode="value"/>
            </xsl:with-param>
          </xsl:call-template>
        </xsl:if>
      </xsl:for-each>
    </dl>
  </xsl:template>

  <xsl:template name="fact">
    <xsl:param name="label"/>
    <xsl:param name="value"/>
    <xsl:if test="normalize-space($value)">
      <div><dt><xsl:value-of select="$label"/>:</dt><xsl:text> </xsl:text><dd><xsl:copy-of select="$value"/></dd></div>
    </xsl:if>
  </xsl:template>

  <!-- A person, organisation, act or visit of the header in one line: names, what they are, times, where to reach them. -->
  <xsl:template match="*" mode="party">
    <xsl:apply-templates select=".//v:name | .//v:softwareName | .//v:manufacturerModelName" mode="value"/>
    <xsl:if test="not(.//v:name[normalize-space()] or .//v:softwareName)">
      <xsl:apply-templates select=".//v:id" mode="value"/>
    </xsl:if>
    <xsl:apply-templates select="v:code | v:dischargeDispositionCode" mode="value"/>
    <xsl:apply-templates select="v:effectiveTime" mode="value"/>
    <xsl:apply-templates select="(.//v:addr[normalize-space()])[1]" mode="value"/>
    <xsl:apply-templates select="(.//v:telecom[@value])[1]" mode="value"/>
  </xsl:template>

  <xsl:template match="v:templateId | v:signatureCode | v:functionCode | v:time" mode="party"/>

  <xsl:template match="*" mode="value">
    <xsl:variable name="shown">
      <xsl:choose>
        <xsl:when test="normalize-space(v:originalText) and not(v:originalText/v:reference)"><xsl:value-of select="normalize-space(v:originalText)"/></xsl:when>
        <xsl:when test="@displayName"><xsl:value-of select="@displayName"/></xsl:when>
        <xsl:when test="@code"><xsl:value-of select="@code"/></xsl:when>
        <xsl:otherwise><xsl:value-of select="normalize-space(.)"/></xsl:otherwise>
      </xsl:choose>
    </xsl:variable>
    <xsl:if test="string($shown)"><span class="bit"><xsl:value-of select="$shown"/></span><xsl:text> </xsl:text></xsl:if>
  </xsl:template>

  <xsl:template match="v:name" mode="value">
    <xsl:if test="normalize-space(.)">
      <span class="bit">
        <xsl:for-each select="text()[normalize-space()] | *">
          <xsl:if test="position() &gt; 1"><xsl:text> </xsl:text></xsl:if>
          <xsl:value-of select="normalize-space(.)"/>
        </xsl:for-each>
      </span>
      <xsl:text> </xsl:text>
    </xsl:if>
  </xsl:template>

  <xsl:template match="v:addr" mode="value">
    <xsl:if test="normalize-space(.)">
      <span class="bit">
        <xsl:for-each select="text()[normalize-space()] | *[normalize-space() and not(self::v:useablePeriod)]">
          <xsl:if test="position() &gt; 1"><xsl:text>, </xsl:text></xsl:if>
          <xsl:value-of select="normalize-space(.)"/>
        </xsl:for-each>
      </span>
      <xsl:text> </xsl:text>
    </xsl:if>
  </xsl:template>

  <xsl:template match="v:telecom" mode="value">
    <xsl:if test="@value">
      <span class="bit">
        <xsl:choose>
          <xsl:when test="starts-with(@value, 'tel:')"><xsl:value-of select="substring(@value, 5)"/></xsl:when>
          <xsl:when test="starts-with(@value, 'mailto:')"><xsl:value-of select="substring(@value, 8)"/></xsl:when>
          <xsl:when test="starts-with(@value, 'fax:')">fax <xsl:value-of select="substring(@value, 5)"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="@value"/></xsl:otherwise>
        </xsl:choose>
      </span>
      <xsl:text> </xsl:text>
    </xsl:if>
  </xsl:template>

  <xsl:template match="v:id" mode="value">
    <xsl:if test="@root or @extension">
      <span class="bit">
        <xsl:choose>
          <xsl:when test="@extension">
            <xsl:value-of select="@extension"/>
            <xsl:if test="@assigningAuthorityName"> (<xsl:value-of select="@assigningAuthorityName"/>)</xsl:if>
          </xsl:when>
          <xsl:otherwise><xsl:value-of select="@root"/></xsl:otherwise>
        </xsl:choose>
      </span>
      <xsl:text> </xsl:text>
    </xsl:if>
  </xsl:template>

  <xsl:template match="v:birthTime | v:effectiveTime | v:time" mode="value">
    <xsl:variable name="shown">
      <xsl:choose>
        <xsl:when test="@value"><xsl:call-template name="moment"><xsl:with-param name="text" select="@value"/></xsl:call-template></xsl:when>
        <xsl:otherwise>
          <xsl:if test="v:low/@value">từ <xsl:call-template name="moment"><xsl:with-param name="text" select="v:low/@value"/></xsl:call-template></xsl:if>
          <xsl:if test="v:high/@value"> đến <xsl:call-template name="moment"><xsl:with-param name="text" select="v:high/@value"/></xsl:call-template></xsl:if>
        </xsl:otherwise>
      </xsl:choose>
    </xsl:variable>
    <xsl:if test="string($shown)"><span class="bit"><xsl:value-of select="normalize-space($shown)"/></span><xsl:text> </xsl:text></xsl:if>
  </xsl:template>

  <!-- A TS as Vietnamese papers write it: `08:05 05/11/2026`, `11/2026`; another offset than ours is said, a malformed one stays. -->
  <xsl:template name="moment">
    <xsl:param name="text"/>
    <xsl:variable name="digits" select="substring-before(concat(translate($text, '+-.', '|||'), '|'), '|')"/>
    <xsl:variable name="length" select="string-length($digits)"/>
    <xsl:variable name="offset">
      <xsl:choose>
        <xsl:when test="contains($text, '+')">+<xsl:value-of select="substring-after($text, '+')"/></xsl:when>
        <xsl:when test="contains($text, '-')">-<xsl:value-of select="substring-after($text, '-')"/></xsl:when>
      </xsl:choose>
    </xsl:variable>
    <xsl:choose>
      <xsl:when test="translate($digits, '0123456789', '') or not($length = 4 or $length = 6 or $length = 8 or $length &gt;= 10)
          or (string($offset) and $length &lt; 10)">
        <xsl:value-of select="$text"/>
      </xsl:when>
      <xsl:otherwise>
        <xsl:if test="$length = 10"><xsl:value-of select="substring($digits, 9, 2)"/> giờ </xsl:if>
        <xsl:if test="$length &gt;= 12"><xsl:value-of select="concat(substring($digits, 9, 2), ':', substring($digits, 11, 2), ' ')"/></xsl:if>
        <xsl:if test="$length &gt;= 8"><xsl:value-of select="concat(substring($digits, 7, 2), '/')"/></xsl:if>
        <xsl:if test="$length &gt;= 6"><xsl:value-of select="concat(substring($digits, 5, 2), '/')"/></xsl:if>
        <xsl:value-of select="substring($digits, 1, 4)"/>
        <xsl:if test="string($offset) and $offset != '+0700'"> (UTC<xsl:value-of select="$offset"/>)</xsl:if>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
